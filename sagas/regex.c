/*
 * A pattern is compiled to a small program whose threads run in lockstep over the text (Thompson's
 * construction, as Pike and Cox tell it). Jumps are relative, so that a counted repetition copies
 * the code of what it repeats.
 */
#include "sagas/regex.h"

#include <stdint.h>
#include <string.h>

enum {
	MAX_PATTERN = 4096,
	MAX_CODE = 2000,
	MAX_RANGES = 4000,
	MAX_DEPTH = 200,
	MAX_REPEAT = 1000,
	MAX_WORK = 20 * 1000 * 1000, /* instructions times characters */
};

enum op { OP_ANY, OP_SET, OP_SPLIT, OP_JUMP, OP_BEGIN, OP_END, OP_MATCH };

struct range {
	uint32_t first, last;
};

struct instr {
	enum op op;
	int x, y; /* relative targets of OP_SPLIT and OP_JUMP; ranges and their number of OP_SET */
	bool negated;
};

struct regex {
	struct instr *code;
	int n_code;
	struct range *ranges;
	int n_ranges;
};

struct parse {
	struct regex *regex;
	const char *at;
	int depth;
	struct err *err;
};

void regex_free(struct regex *regex)
{
	if (!regex)
		return;
	free(regex->code);
	free(regex->ranges);
	free(regex);
}

/* One character of UTF-8; what is not valid counts as one character of its own. */
static uint32_t next_char(const char **at, const char *end)
{
	const unsigned char *s = (const unsigned char *)*at;
	int more = s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
	uint32_t c = more == 0 ? s[0] : s[0] & (0x3f >> more);

	if ((const char *)s + more >= end)
		more = 0;
	for (int i = 1; i <= more; i++)
		c = c << 6 | (s[i] & 0x3f);
	*at += 1 + more;
	return c;
}

static int emit(struct parse *parse, struct instr instr)
{
	if (parse->regex->n_code >= MAX_CODE)
		return err_set(parse->err, ERR_LIMIT, "the pattern is too large");
	parse->regex->code[parse->regex->n_code++] = instr;
	return 0;
}

static int add_range(struct parse *parse, uint32_t first, uint32_t last)
{
	if (parse->regex->n_ranges >= MAX_RANGES)
		return err_set(parse->err, ERR_LIMIT, "the pattern is too large");
	parse->regex->ranges[parse->regex->n_ranges++] = (struct range){first, last};
	return 0;
}

/* The ranges of \d \w \s, or of their complements. */
static int add_class(struct parse *parse, char name)
{
	static const struct range digits[] = {{'0', '9'}};
	static const struct range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
	static const struct range spaces[] = {
		{9, 13},          {32, 32},         {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
		{0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
	const struct range *list = digits;
	size_t n = ARRAY_SIZE(digits);
	uint32_t from = 0;
	int r = 0;

	if (name == 'w' || name == 'W') {
		list = words;
		n = ARRAY_SIZE(words);
	} else if (name == 's' || name == 'S') {
		list = spaces;
		n = ARRAY_SIZE(spaces);
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		if (name >= 'a')
			r = add_range(parse, list[i].first, list[i].last);
		else
			r = add_range(parse, from, list[i].first - 1);
		from = list[i].last + 1;
	}
	return r == 0 && name < 'a' ? add_range(parse, from, UINT32_MAX) : r;
}

static int hex_digits(struct parse *parse, int n, uint32_t *ret)
{
	uint32_t value = 0;

	for (int i = 0; i < n; i++, parse->at++) {
		char c = *parse->at;

		if (c >= '0' && c <= '9')
			value = value * 16 + (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			value = value * 16 + (uint32_t)((c | 32) - 'a' + 10);
		else
			return err_set(parse->err, ERR_INVALID, "%d hexadecimal digits must follow here", n);
	}
	*ret = value;
	return 0;
}

/* After the backslash: one character, or a class name in *ret_class. */
static int parse_escape(struct parse *parse, uint32_t *ret_char, char *ret_class)
{
	const char *end = parse->at + strlen(parse->at);
	char c = *parse->at;

	*ret_class = 0;
	if (!c)
		return err_set(parse->err, ERR_INVALID, "the pattern ends with a backslash");
	if (strchr("dDwWsS", c)) {
		*ret_class = c;
		parse->at++;
		return 0;
	}
	if (strchr("123456789kbBpPc", c))
		return err_set(parse->err, ERR_INVALID, "\\%c is not supported in a pattern", c);
	if (c == 'x' || c == 'u') {
		parse->at++;
		return hex_digits(parse, c == 'x' ? 2 : 4, ret_char);
	}
	*ret_char = next_char(&parse->at, end);
	switch (c) {
	case 't':
		*ret_char = '\t';
		break;
	case 'n':
		*ret_char = '\n';
		break;
	case 'r':
		*ret_char = '\r';
		break;
	case 'f':
		*ret_char = '\f';
		break;
	case 'v':
		*ret_char = '\v';
		break;
	case '0':
		*ret_char = 0;
		break;
	}
	return 0;
}

static int parse_class_char(struct parse *parse, uint32_t *ret_char, char *ret_class)
{
	const char *end = parse->at + strlen(parse->at);

	*ret_class = 0;
	if (!*parse->at)
		return err_set(parse->err, ERR_INVALID, "a [ has no ]");
	if (*parse->at == '\\') {
		parse->at++;
		if (*parse->at == 'b') {
			parse->at++;
			*ret_char = '\b';
			return 0;
		}
		return parse_escape(parse, ret_char, ret_class);
	}
	*ret_char = next_char(&parse->at, end);
	return 0;
}

static int parse_set(struct parse *parse)
{
	struct instr set = {.op = OP_SET, .x = parse->regex->n_ranges};
	uint32_t first, last;
	char class;
	int r;

	if (*parse->at == '^') {
		set.negated = true;
		parse->at++;
	}
	while (*parse->at != ']') {
		r = parse_class_char(parse, &first, &class);
		if (r == 0 && class)
			r = add_class(parse, class);
		if (r < 0)
			return r;
		if (class)
			continue;
		last = first;
		if (parse->at[0] == '-' && parse->at[1] && parse->at[1] != ']') {
			parse->at++;
			r = parse_class_char(parse, &last, &class);
			if (r < 0)
				return r;
			if (class || last < first)
				return err_set(parse->err, ERR_INVALID, "a range in [] is upside down");
		}
		r = add_range(parse, first, last);
		if (r < 0)
			return r;
	}
	parse->at++;
	set.y = parse->regex->n_ranges - set.x;
	return emit(parse, set);
}

static int emit_char(struct parse *parse, uint32_t c)
{
	struct instr set = {.op = OP_SET, .x = parse->regex->n_ranges, .y = 1};
	int r = add_range(parse, c, c);

	return r < 0 ? r : emit(parse, set);
}

static int parse_alternatives(struct parse *parse);

static int parse_group(struct parse *parse)
{
	int r;

	if (parse->at[0] == '?') {
		if (parse->at[1] == ':') {
			parse->at += 2;
		} else if (parse->at[1] == '<' && parse->at[2] != '=' && parse->at[2] != '!') {
			parse->at += strcspn(parse->at, ">)");
			if (*parse->at != '>')
				return err_set(parse->err, ERR_INVALID, "the name of a group has no >");
			parse->at++;
		} else {
			return err_set(parse->err, ERR_INVALID, "look-around is not supported in a pattern");
		}
	}
	if (++parse->depth > MAX_DEPTH)
		return err_set(parse->err, ERR_LIMIT, "the groups of the pattern are nested too deeply");
	r = parse_alternatives(parse);
	parse->depth--;
	if (r < 0)
		return r;
	if (*parse->at != ')')
		return err_set(parse->err, ERR_INVALID, "a ( has no )");
	parse->at++;
	return 0;
}

static int parse_atom(struct parse *parse, bool *ret_assertion)
{
	const char *end = parse->at + strlen(parse->at);
	uint32_t c = 0;
	char class;
	int start, r;

	*ret_assertion = false;
	switch (*parse->at) {
	case '^':
	case '$':
		*ret_assertion = true;
		return emit(parse, (struct instr){.op = *parse->at++ == '^' ? OP_BEGIN : OP_END});
	case '.':
		parse->at++;
		return emit(parse, (struct instr){.op = OP_ANY});
	case '[':
		parse->at++;
		return parse_set(parse);
	case '(':
		parse->at++;
		return parse_group(parse);
	case '*':
	case '+':
	case '?':
	case '{':
		return err_set(parse->err, ERR_INVALID, "nothing stands before %c", *parse->at);
	case '\\':
		parse->at++;
		start = parse->regex->n_ranges;
		r = parse_escape(parse, &c, &class);
		if (r < 0)
			return r;
		if (!class)
			return emit_char(parse, c);
		r = add_class(parse, class);
		if (r < 0)
			return r;
		return emit(parse,
					(struct instr){.op = OP_SET, .x = start, .y = parse->regex->n_ranges - start});
	}
	return emit_char(parse, next_char(&parse->at, end));
}

/* {m}, {m,} and {m,n}; max -1: without end. */
static int parse_count(struct parse *parse, int *ret_min, int *ret_max)
{
	int numbers[2] = {-1, -1}, n = 0;

	for (parse->at++; *parse->at && *parse->at != '}'; parse->at++) {
		if (*parse->at == ',' && n == 0 && numbers[0] >= 0) {
			n = 1;
		} else if (*parse->at >= '0' && *parse->at <= '9') {
			numbers[n] = (numbers[n] < 0 ? 0 : numbers[n] * 10) + (*parse->at - '0');
			if (numbers[n] > MAX_REPEAT)
				return err_set(parse->err, ERR_LIMIT, "a repetition counts to %d at most",
							   MAX_REPEAT);
		} else {
			break;
		}
	}
	if (*parse->at != '}' || numbers[0] < 0 || (numbers[1] >= 0 && numbers[1] < numbers[0]))
		return err_set(parse->err, ERR_INVALID, "a repetition must be {m}, {m,} or {m,n}");
	parse->at++;
	*ret_min = numbers[0];
	*ret_max = n == 0 ? numbers[0] : numbers[1];
	return 0;
}

static int copy_code(struct parse *parse, const struct instr *code, int n)
{
	int r = 0;

	for (int i = 0; i < n && r == 0; i++)
		r = emit(parse, code[i]);
	return r;
}

/* Rewrites the code from start on as a repetition of it. */
static int repeat_code(struct parse *parse, int start, int min, int max)
{
	struct regex *regex = parse->regex;
	int len = regex->n_code - start, r = 0;
	CLEANUP(free_p) struct instr *code = xcalloc((size_t)len + 1, sizeof(*code));

	memcpy(code, regex->code + start, (size_t)len * sizeof(*code));
	regex->n_code = start;
	for (int i = 0; i < min && r == 0; i++)
		r = copy_code(parse, code, len);
	if (max < 0 && min > 0)
		return r < 0 ? r : emit(parse, (struct instr){.op = OP_SPLIT, .x = -len, .y = 1});
	if (max < 0) {
		if (r == 0)
			r = emit(parse, (struct instr){.op = OP_SPLIT, .x = 1, .y = len + 2});
		if (r == 0)
			r = copy_code(parse, code, len);
		return r < 0 ? r : emit(parse, (struct instr){.op = OP_JUMP, .x = -(len + 1)});
	}
	for (int i = min; i < max && r == 0; i++) {
		r = emit(parse, (struct instr){.op = OP_SPLIT, .x = 1, .y = (max - i) * (len + 1)});
		if (r == 0)
			r = copy_code(parse, code, len);
	}
	return r;
}

static int parse_piece(struct parse *parse)
{
	int start = parse->regex->n_code, min = 1, max = 1, r;
	bool assertion;

	r = parse_atom(parse, &assertion);
	if (r < 0)
		return r;
	switch (*parse->at) {
	case '*':
	case '+':
	case '?':
		min = *parse->at == '+';
		max = *parse->at == '?' ? 1 : -1;
		parse->at++;
		break;
	case '{':
		r = parse_count(parse, &min, &max);
		if (r < 0)
			return r;
		break;
	default:
		return 0;
	}
	if (assertion)
		return err_set(parse->err, ERR_INVALID, "^ and $ cannot be repeated");
	if (*parse->at == '?')
		parse->at++; /* lazy: which match is found does not matter here */
	return repeat_code(parse, start, min, max);
}

static int parse_alternatives(struct parse *parse)
{
	struct regex *regex = parse->regex;
	int start = regex->n_code, len, r = 0;

	while (*parse->at && *parse->at != '|' && *parse->at != ')' && r == 0)
		r = parse_piece(parse);
	if (r < 0 || *parse->at != '|')
		return r;
	parse->at++;
	/* A split before the first alternative, and a jump behind it over the rest. */
	len = regex->n_code - start;
	r = emit(parse, (struct instr){.op = OP_JUMP});
	if (r == 0)
		r = emit(parse, (struct instr){.op = OP_JUMP});
	if (r < 0)
		return r;
	memmove(regex->code + start + 1, regex->code + start, (size_t)len * sizeof(*regex->code));
	regex->code[start] = (struct instr){.op = OP_SPLIT, .x = 1, .y = len + 2};
	len = regex->n_code - 1;
	if (++parse->depth > MAX_DEPTH)
		return err_set(parse->err, ERR_LIMIT, "the pattern has too many alternatives");
	r = parse_alternatives(parse);
	parse->depth--;
	regex->code[len] = (struct instr){.op = OP_JUMP, .x = regex->n_code - len};
	return r;
}

int regex_compile(const char *pattern, struct regex **ret_regex, struct err *err)
{
	CLEANUP(regex_free_p) struct regex *regex = xcalloc(1, sizeof(*regex));
	struct parse parse = {regex, pattern, 0, err};
	int r;

	if (strlen(pattern) > MAX_PATTERN)
		return err_set(err, ERR_LIMIT, "the pattern has more than %d bytes", MAX_PATTERN);
	regex->code = xcalloc(MAX_CODE, sizeof(*regex->code));
	regex->ranges = xcalloc(MAX_RANGES, sizeof(*regex->ranges));
	r = parse_alternatives(&parse);
	if (r == 0 && *parse.at == ')')
		r = err_set(err, ERR_INVALID, "a ) has no (");
	if (r == 0)
		r = emit(&parse, (struct instr){.op = OP_MATCH});
	if (r < 0)
		return r;
	regex->code = xrealloc_array(regex->code, (size_t)regex->n_code, sizeof(*regex->code));
	regex->ranges = xrealloc_array(regex->ranges, (size_t)regex->n_ranges, sizeof(*regex->ranges));
	*ret_regex = TAKE(regex);
	return 0;
}

size_t regex_size(const struct regex *regex)
{
	return (size_t)regex->n_code;
}

/* The threads of one position of the text; each instruction is there once at most. */
struct threads {
	int *list;
	int n;
};

struct run {
	const struct regex *regex;
	struct threads now, next;
	int *stack;
	uint32_t *seen; /* per instruction: the position for which it was added */
	uint32_t position;
	bool matched;
};

static void add_thread(struct run *run, struct threads *to, int pc, bool at_begin, bool at_end)
{
	int depth = 0;

	run->stack[depth++] = pc;
	while (depth > 0) {
		const struct instr *instr;

		pc = run->stack[--depth];
		if (run->seen[pc] == run->position)
			continue;
		run->seen[pc] = run->position;
		instr = &run->regex->code[pc];
		switch (instr->op) {
		case OP_JUMP:
			run->stack[depth++] = pc + instr->x;
			break;
		case OP_SPLIT:
			run->stack[depth++] = pc + instr->y;
			run->stack[depth++] = pc + instr->x;
			break;
		case OP_BEGIN:
		case OP_END:
			if (instr->op == OP_BEGIN ? at_begin : at_end)
				run->stack[depth++] = pc + 1;
			break;
		case OP_MATCH:
			run->matched = true;
			break;
		case OP_ANY:
		case OP_SET:
			to->list[to->n++] = pc;
			break;
		}
	}
}

static bool takes(const struct regex *regex, const struct instr *instr, uint32_t c)
{
	if (instr->op == OP_ANY)
		return c != '\n' && c != '\r' && c != 0x2028 && c != 0x2029;
	for (int i = 0; i < instr->y; i++) {
		const struct range *range = &regex->ranges[instr->x + i];

		if (c >= range->first && c <= range->last)
			return !instr->negated;
	}
	return instr->negated;
}

int regex_search(const struct regex *regex, const char *text, size_t len, bool *ret_found,
				 struct err *err)
{
	size_t n = (size_t)regex->n_code;
	/* Each visit pushes two at most and every instruction is visited once. */
	CLEANUP(free_p) int *memory = NULL;
	CLEANUP(free_p) uint32_t *seen = NULL;
	struct run run = {.regex = regex};
	const char *at = text, *end = text + len;

	if (len > MAX_WORK / n)
		return err_set(err, ERR_LIMIT, "is too long to be compared with its pattern");
	memory = xcalloc(4 * n + 2, sizeof(int));
	seen = xcalloc(n, sizeof(uint32_t));
	run.now.list = memory;
	run.next.list = memory + n;
	run.stack = memory + 2 * n;
	run.seen = seen;
	for (;;) {
		struct threads swap;
		uint32_t c;

		/* run.now was filled for this position; a match may begin here, too. */
		if (at == text)
			run.position++;
		add_thread(&run, &run.now, 0, at == text, at == end);
		if (run.matched || at == end)
			break;
		c = next_char(&at, end);
		run.position++;
		run.next.n = 0;
		for (int i = 0; i < run.now.n; i++) {
			int pc = run.now.list[i];

			if (takes(regex, &regex->code[pc], c))
				add_thread(&run, &run.next, pc + 1, false, at == end);
		}
		swap = run.now;
		run.now = run.next;
		run.next = swap;
		if (run.matched)
			break;
	}
	*ret_found = run.matched;
	return 0;
}
