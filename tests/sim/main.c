/*
 * Runs many seeds, each worker in a process of its own, so that an abort is a finding like any
 * other. The first seed that fails is made smaller (fewer sagas, fewer kinds of fault), told in
 * full, and ends the program.
 *
 *   sim [--seeds N] [--first S] [--jobs J] [--brief yes]
 *   sim --seed S [--sagas MASK] [--without fault,…] --trace
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/log.h"
#include "tests/sim/sim.h"

enum { JOBS_MAX = 64, AGAIN_EVERY = 50, COVERAGE_FROM = 1000, ALARM_S = 120 };

#define ALL_FAULTS ((UINT64_C(1) << SIM_FAULT_COUNT) - 1)
#define ALL_SAGAS ((UINT32_C(1) << SAGAS_MAX) - 1)

struct shared {
	struct coverage coverage;
	struct {
		uint64_t seed;
		bool failed;
		char text[1024];
	} worker[JOBS_MAX];
	bool stop;
};

static struct shared *shared;

/* Runs it in a child; true when it fails. */
static bool fails(const struct sim_options *options, char text[1024])
{
	pid_t child;
	int status = 0;

	fflush(stdout);
	shared->worker[0].text[0] = '\0';
	child = fork();
	if (child == 0) {
		struct sim_result result;

		alarm(ALARM_S);
		if (!options->trace && !freopen("/dev/null", "w", stderr))
			_exit(3);
		sim_run(options, &result);
		memcpy(shared->worker[0].text, result.text, sizeof(result.text));
		fflush(stdout);
		_exit(result.failed);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	snprintf(text, 1024, "%s",
			 shared->worker[0].text[0] ? shared->worker[0].text : "the process died");
	return true;
}

static void print_command(const struct sim_options *options)
{
	const char *separator = " --without ";
	int i;

	printf("build/release/tests/sim/sim --seed %llu --sagas 0x%x",
		   (unsigned long long)options->seed, options->sagas);
	for (i = 0; i < SIM_FAULT_COUNT; i++) {
		if (options->faults >> i & 1)
			continue;
		printf("%s%s", separator, sim_fault_names[i]);
		separator = ",";
	}
	printf(" --trace\n");
}

/* Leaves out what can be left out without losing the failure; the kind of it may change. */
static void shrink(struct sim_options *options, char text[1024])
{
	int i;

	for (i = 0; i < SAGAS_MAX; i++) {
		struct sim_options less = *options;

		less.sagas &= ~(UINT32_C(1) << i);
		if (less.sagas && fails(&less, text))
			*options = less;
	}
	for (i = 0; i < SIM_FAULT_COUNT; i++) {
		struct sim_options less = *options;

		less.faults &= ~(UINT64_C(1) << i);
		if (fails(&less, text))
			*options = less;
	}
}

static void tell(struct sim_options *options)
{
	char text[1024] = "";
	int i;

	shrink(options, text);
	options->trace = true;
	fails(options, text);
	printf("FAILED: %s\nseed %llu; the smallest variant that fails: sagas 0x%x, faults", text,
		   (unsigned long long)options->seed, options->sagas);
	for (i = 0; i < SIM_FAULT_COUNT; i++)
		if (options->faults >> i & 1)
			printf(" %s", sim_fault_names[i]);
	printf("\n");
	print_command(options);
}

static void work(int job, int jobs, uint64_t first, uint64_t n)
{
	struct sim_options options = {
		.faults = ALL_FAULTS, .sagas = ALL_SAGAS, .coverage = &shared->coverage};
	struct coverage ignored;
	struct sim_result result, again;
	uint64_t seed;

	for (seed = first + (uint64_t)job; seed < first + n && !shared->stop; seed += (uint64_t)jobs) {
		alarm(ALARM_S);
		shared->worker[job].seed = options.seed = seed;
		options.coverage = &shared->coverage;
		sim_run(&options, &result);
		/* The same seed gives the same run. */
		if (!result.failed && seed % AGAIN_EVERY == 0) {
			options.coverage = &ignored;
			sim_run(&options, &again);
			if (again.trace_hash != result.trace_hash) {
				result.failed = true;
				snprintf(result.text, sizeof(result.text), "the same seed gave another run");
			}
		}
		if (result.failed) {
			memcpy(shared->worker[job].text, result.text, sizeof(result.text));
			shared->worker[job].failed = shared->stop = true;
			_exit(1);
		}
	}
	_exit(0);
}

/* The worker that failed, or -1. */
static int run_workers(int jobs, uint64_t first, uint64_t n)
{
	pid_t child[JOBS_MAX];
	int i, status, failed = -1;

	fflush(stdout);
	for (i = 0; i < jobs; i++) {
		child[i] = fork();
		if (child[i] == 0)
			work(i, jobs, first, n);
	}
	for (i = 0; i < jobs; i++) {
		waitpid(child[i], &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		shared->stop = true;
		if (failed < 0 || !shared->worker[failed].failed)
			failed = i;
	}
	return failed;
}

static int missing(const char *what, const char *name, uint64_t n)
{
	if (n > 0)
		return 0;
	printf("never reached: %s %s\n", what, name);
	return 1;
}

/* Nobody makes a new run of a saga that has ended. */
static bool is_simulated(int number)
{
	switch (number) {
	case EV_SAGA_RESET:
		return false;
	default:
		return true;
	}
}

/* Nothing of this version makes a saga `failed`. */
static int check_coverage(const struct coverage *coverage)
{
	int i, bad = 0;

	for (i = 0; i < SIM_FAULT_COUNT; i++)
		bad += missing("fault", sim_fault_names[i], coverage->faults[i]);
#define X(name, number, text)                                                                      \
	if (is_simulated(number))                                                                      \
		bad += missing("event", text, coverage->events[number]);
	EVENT_TYPES(X)
#undef X
	for (i = 0; i < SAGA_STATUS_COUNT; i++)
		if (i != SAGA_FAILED)
			bad += missing("saga", saga_status_text(i), coverage->saga_status[i]);
	for (i = 0; i < STEP_STATUS_COUNT; i++)
		bad += missing("step", step_status_text(i), coverage->step_status[i]);
	for (i = 0; i < COMP_STATUS_COUNT; i++)
		bad += missing("compensation", comp_status_text(i), coverage->comp_status[i]);
	/* A cancel and an end have events of their own. */
	for (i = 0; i < ACT_KIND_COUNT; i++)
		if (i != ACT_CANCEL && i != ACT_TERMINATE)
			bad += missing(act_is_of_step(i) ? "act on a step" : "act", act_kind_text(i),
						   coverage->acts[i]);
	bad += missing("act", "that is refused", coverage->acts_refused);
	bad += missing("version", "that is refused", coverage->migrations_refused);
	bad += missing("word", "of a lease that is over", coverage->leases_lost);
	bad += missing("step", "that begins anew", coverage->begun_anew);
	bad += missing("child", "that is held, and then undone", coverage->kids_undone);
	bad += missing("transition", "parked", coverage->parked);
	bad += missing("crash", "during recovery", coverage->crashes_in_recovery);
	bad += missing("check", "order of undos", coverage->undos_checked);
	bad += missing("check", "effects", coverage->effects_checked);
	bad += missing("reply", "through the inbox", coverage->inboxed);
	bad += missing("record", "published", coverage->published);
	bad += missing("success", "after its undo began", coverage->late_successes);
	return bad;
}

static void print_coverage(const struct coverage *coverage)
{
	int i;

	printf("%llu sagas, %llu happenings, %llu crashes during recovery\nfaults:",
		   (unsigned long long)coverage->sagas, (unsigned long long)coverage->happenings,
		   (unsigned long long)coverage->crashes_in_recovery);
	for (i = 0; i < SIM_FAULT_COUNT; i++)
		printf(" %s %llu", sim_fault_names[i], (unsigned long long)coverage->faults[i]);
	printf("\nchildren: %llu, %llu undone after they were held", (unsigned long long)coverage->kids,
		   (unsigned long long)coverage->kids_undone);
	printf("\nacts:");
	for (i = 0; i < ACT_KIND_COUNT; i++)
		if (coverage->acts[i])
			printf(" %s%s %llu", act_is_of_step(i) ? "step-" : "", act_kind_text(i),
				   (unsigned long long)coverage->acts[i]);
	printf(" refused %llu begun-anew %llu", (unsigned long long)coverage->acts_refused,
		   (unsigned long long)coverage->begun_anew);
	printf("\nsagas at commits:");
	for (i = 0; i < SAGA_STATUS_COUNT; i++)
		if (coverage->saga_status[i])
			printf(" %s %llu", saga_status_text(i), (unsigned long long)coverage->saga_status[i]);
	printf("\n");
}

static int many(uint64_t first, uint64_t n, int jobs, bool brief)
{
	struct sim_options options = {
		.faults = ALL_FAULTS, .sagas = ALL_SAGAS, .coverage = &shared->coverage};
	int failed, bad = 0;

	printf("seeds %llu to %llu\n", (unsigned long long)first, (unsigned long long)(first + n - 1));
	failed = run_workers(jobs, first, n);
	if (failed >= 0) {
		options.seed = shared->worker[failed].seed;
		printf("seed %llu fails: %s\n", (unsigned long long)options.seed,
			   shared->worker[failed].failed ? shared->worker[failed].text : "the process died");
		if (!brief)
			tell(&options);
	} else {
		print_coverage(&shared->coverage);
		if (n >= COVERAGE_FROM)
			bad = check_coverage(&shared->coverage);
	}
	printf("%llu passed, %d failed\n", failed < 0 ? (unsigned long long)n : 0ULL,
		   bad + (failed >= 0));
	return bad || failed >= 0;
}

static uint64_t faults_without(char *list)
{
	uint64_t faults = ALL_FAULTS;
	char *save = NULL, *name;
	int i;

	for (name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save))
		for (i = 0; i < SIM_FAULT_COUNT; i++)
			if (strcmp(name, sim_fault_names[i]) == 0)
				faults &= ~(UINT64_C(1) << i);
	return faults;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "`%s` is not a number\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sim_options one = {.faults = ALL_FAULTS, .sagas = ALL_SAGAS};
	uint64_t first = 1, n = 200;
	bool single = false, brief = false;
	struct sim_result result;
	int i, jobs = 1;

	log_setup(LOG_OFF, false);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (i = 1; i < argc; i++) {
		char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--trace") == 0) {
			one.trace = true;
			continue;
		}
		if (!value) {
			fprintf(stderr, "%s needs a value\n", argv[i]);
			return 2;
		}
		i++;
		if (strcmp(argv[i - 1], "--seeds") == 0)
			n = number(value);
		else if (strcmp(argv[i - 1], "--first") == 0)
			first = number(value);
		else if (strcmp(argv[i - 1], "--jobs") == 0)
			jobs = (int)number(value);
		else if (strcmp(argv[i - 1], "--brief") == 0)
			brief = strcmp(value, "yes") == 0;
		else if (strcmp(argv[i - 1], "--sagas") == 0)
			one.sagas = (uint32_t)number(value);
		else if (strcmp(argv[i - 1], "--without") == 0)
			one.faults = faults_without(value);
		else if (strcmp(argv[i - 1], "--seed") == 0) {
			one.seed = number(value);
			single = true;
		} else {
			fprintf(stderr, "unknown option %s\n", argv[i - 1]);
			return 2;
		}
	}
	if (!single)
		return many(first, n, jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs, brief);
	one.coverage = &shared->coverage;
	sim_run(&one, &result);
	printf("%s%s, %llu happenings, trace %016llx\n", result.failed ? "FAILED: " : "passed",
		   result.text, (unsigned long long)result.happenings,
		   (unsigned long long)result.trace_hash);
	return result.failed;
}
