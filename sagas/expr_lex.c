/*
 * Tokens of an expression. The lexer also finds where an expression inside ${…} ends, because only
 * it knows which braces are text.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "sagas/expr_priv.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char peek(const struct lexer *lex, size_t ahead)
{
	return lex->at + ahead < lex->len ? lex->text[lex->at + ahead] : '\0';
}

static void lex_error(struct lexer *lex, struct token *token, size_t at, const char *text)
{
	token->kind = TK_ERROR;
	/* Who goes on after an error must not meet it again. */
	if (lex->at == token->start)
		lex->at++;
	lex->error = text;
	lex->error_at = at;
}

static void skip_space(struct lexer *lex)
{
	for (; lex->at < lex->len; lex->at++) {
		char c = lex->text[lex->at];

		if (c == '/' && peek(lex, 1) == '/') {
			while (lex->at < lex->len && lex->text[lex->at] != '\n')
				lex->at++;
			lex->at--;
		} else if (c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f') {
			return;
		}
	}
}

static void lex_hex(struct lexer *lex, struct token *token)
{
	uint64_t value = 0;
	int digit, n = 0;

	lex->at += 2;
	for (; (digit = hex_digit(peek(lex, 0))) >= 0; lex->at++, n++) {
		if (value >> 60) {
			lex_error(lex, token, token->start, "this integer does not fit into 64 bits");
			return;
		}
		value = value << 4 | (uint64_t)digit;
	}
	token->kind = TK_INT;
	token->i = value;
	if (n == 0)
		lex_error(lex, token, token->start, "0x needs hexadecimal digits");
}

static void lex_decimal(struct lexer *lex, struct token *token)
{
	uint64_t value = 0;
	bool overflow = false;
	char digits[128];
	size_t len;

	for (; is_digit(peek(lex, 0)); lex->at++)
		overflow |= __builtin_mul_overflow(value, 10, &value) ||
					__builtin_add_overflow(value, (uint64_t)(peek(lex, 0) - '0'), &value);
	token->kind = TK_INT;
	token->i = value;
	if (peek(lex, 0) == '.' && is_digit(peek(lex, 1))) {
		token->kind = TK_DOUBLE;
		for (lex->at++; is_digit(peek(lex, 0)); lex->at++)
			;
	}
	if ((peek(lex, 0) | 0x20) == 'e') {
		size_t sign = peek(lex, 1) == '+' || peek(lex, 1) == '-';

		if (is_digit(peek(lex, 1 + sign))) {
			token->kind = TK_DOUBLE;
			for (lex->at += 1 + sign; is_digit(peek(lex, 0)); lex->at++)
				;
		}
	}
	len = lex->at - token->start;
	if (token->kind == TK_INT) {
		if (overflow)
			lex_error(lex, token, token->start, "this integer does not fit into 64 bits");
		return;
	}
	if (len >= sizeof(digits)) {
		lex_error(lex, token, token->start, "this number has too many digits");
		return;
	}
	memcpy(digits, lex->text + token->start, len);
	digits[len] = '\0';
	token->d = strtod(digits, NULL);
	if (!isfinite(token->d))
		lex_error(lex, token, token->start, "this number is too large for a double");
}

static void lex_number(struct lexer *lex, struct token *token)
{
	if (peek(lex, 0) == '0' && (peek(lex, 1) | 0x20) == 'x')
		lex_hex(lex, token);
	else
		lex_decimal(lex, token);
	if (token->kind == TK_ERROR)
		return;
	if (token->kind == TK_INT && (peek(lex, 0) | 0x20) == 'u')
		lex_error(lex, token, token->start,
				  "unsigned integers (1u) are no part of Skald's expressions; write 1");
	else if (is_name_start(peek(lex, 0)))
		lex_error(lex, token, lex->at, "a letter follows directly after a number");
}

static void lex_string(struct lexer *lex, struct token *token, bool raw)
{
	char quote = peek(lex, 0);
	bool triple = peek(lex, 1) == quote && peek(lex, 2) == quote;
	size_t width = triple ? 3 : 1;
	size_t from;

	lex->at += width;
	from = lex->at;
	for (; lex->at < lex->len; lex->at++) {
		char c = lex->text[lex->at];

		if (c == '\\' && !raw) {
			lex->at++;
		} else if (c == quote && (!triple || (peek(lex, 1) == quote && peek(lex, 2) == quote))) {
			token->kind = TK_STRING;
			token->raw = raw;
			token->text = (struct slice){lex->text + from, lex->at - from};
			lex->at += width;
			return;
		} else if (!triple && (c == '\n' || c == '\r')) {
			break;
		}
	}
	lex_error(lex, token, token->start, "this string has no closing quote");
}

static void lex_quoted_name(struct lexer *lex, struct token *token)
{
	size_t from = ++lex->at;

	while (lex->at < lex->len && lex->text[lex->at] != '`') {
		char c = lex->text[lex->at];

		if (!is_name_start(c) && !is_digit(c) && !memchr("-. /", c, 4)) {
			lex_error(
				lex, token, lex->at,
				"between backquotes stand letters, digits, '_', '-', '.', '/' and blanks; for "
				"other names write [\"name\"]");
			return;
		}
		lex->at++;
	}
	if (lex->at == lex->len || lex->at == from) {
		lex_error(lex, token, token->start, "a name in backquotes needs letters and an end");
		return;
	}
	token->kind = TK_QUOTED;
	token->text = (struct slice){lex->text + from, lex->at - from};
	lex->at++;
}

static void lex_name(struct lexer *lex, struct token *token)
{
	while (is_name_start(peek(lex, 0)) || is_digit(peek(lex, 0)))
		lex->at++;
	token->kind = TK_NAME;
	token->text = (struct slice){lex->text + token->start, lex->at - token->start};
}

static void lex_operator(struct lexer *lex, struct token *token)
{
	static const char pairs[][3] = {"&&", "||", "==", "!=", "<=", ">="};
	char c = peek(lex, 0);

	token->kind = TK_OP;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (c == pairs[i][0] && peek(lex, 1) == pairs[i][1]) {
			token->op = OP2(c, pairs[i][1]);
			lex->at += 2;
			return;
		}
	}
	token->op = c;
	lex->at++;
	if (c && strchr("()[]{}.,?:+-*/%!<>", c))
		return;
	if (c == '&')
		lex_error(lex, token, token->start, "'&' is no operator; \"and\" is written &&");
	else if (c == '|')
		lex_error(lex, token, token->start, "'|' is no operator; \"or\" is written ||");
	else if (c == '=')
		lex_error(lex, token, token->start, "'=' is no operator; equality is written ==");
	else
		lex_error(lex, token, token->start, "this character has no meaning here");
}

void expr__lex(struct lexer *lex, struct token *ret_token)
{
	struct token *token = ret_token;
	char c, next;

	skip_space(lex);
	*token = (struct token){.kind = TK_END, .start = lex->at, .end = lex->at};
	if (lex->at >= lex->len)
		return;
	c = peek(lex, 0);
	next = peek(lex, 1);
	if (is_digit(c) || (c == '.' && is_digit(next)))
		lex_number(lex, token);
	else if (c == '"' || c == '\'')
		lex_string(lex, token, false);
	else if ((c == 'r' || c == 'R') && (next == '"' || next == '\'')) {
		lex->at++;
		lex_string(lex, token, true);
	} else if ((c == 'b' || c == 'B') && (next == '"' || next == '\'')) {
		lex->at++; /* who looks for the end of an expression goes on behind an error */
		lex_error(lex, token, token->start, "bytes (b'…') are no part of Skald's expressions");
	} else if (is_name_start(c))
		lex_name(lex, token);
	else if (c == '`')
		lex_quoted_name(lex, token);
	else
		lex_operator(lex, token);
	token->end = lex->at;
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The code point of an escape that begins after the backslash, and how long it is; 0: none. */
static size_t read_escape(const char *s, size_t len, uint32_t *ret_c)
{
	static const char letters[] = "abfnrtv\\?\"'`", values[] = "\a\b\f\n\r\t\v\\?\"'`";
	const char *letter = len && *s ? strchr(letters, *s) : NULL;
	size_t n_digits = 0, from = 1;
	uint32_t c = 0;

	if (letter) {
		*ret_c = (unsigned char)values[letter - letters];
		return 1;
	}
	if (len && (*s == 'x' || *s == 'X'))
		n_digits = 2;
	else if (len && *s == 'u')
		n_digits = 4;
	else if (len && *s == 'U')
		n_digits = 8;
	else if (len && *s >= '0' && *s <= '3') {
		n_digits = 3;
		from = 0;
	}
	if (n_digits == 0 || len < from + n_digits)
		return 0;
	for (size_t i = from; i < from + n_digits; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0 || (from == 0 && digit > 7))
			return 0;
		c = from == 0 ? c << 3 | (uint32_t)digit : c << 4 | (uint32_t)digit;
	}
	*ret_c = c;
	return from + n_digits;
}

ptrdiff_t expr__unescape(struct lexer *lex, const struct token *token, char *out)
{
	const char *s = token->text.s, *end = s + token->text.len;
	size_t len = 0;

	while (s < end) {
		uint32_t c;
		size_t n;

		if (*s != '\\' || token->raw) {
			out[len++] = *s++;
			continue;
		}
		lex->error_at = (size_t)(s - lex->text);
		n = read_escape(s + 1, (size_t)(end - s - 1), &c);
		if (n == 0) {
			lex->error = "this escape does not exist; a backslash is written \\\\";
			return -1;
		}
		if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
			lex->error = "this escape is not a character that text can hold";
			return -1;
		}
		len += put_utf8(out + len, c);
		s += 1 + n;
	}
	return (ptrdiff_t)len;
}

ptrdiff_t expr__find_end(const char *text, size_t len)
{
	struct lexer lex = {.text = text, .len = len};
	struct token token;
	int depth = 0;

	for (;;) {
		expr__lex(&lex, &token);
		if (token.kind == TK_END)
			return -1;
		/* A string without an end cannot be looked behind; any other odd character can. */
		if (token.kind == TK_ERROR && lex.at >= lex.len)
			return -1;
		if (token.kind == TK_OP && token.op == '{')
			depth++;
		if (token.kind == TK_OP && token.op == '}' && depth-- == 0)
			return (ptrdiff_t)token.start;
	}
}

size_t expr__column(const char *text, size_t at)
{
	size_t column = 1;

	for (size_t i = 0; i < at; i++)
		column += ((unsigned char)text[i] & 0xc0) != 0x80;
	return column;
}
