#include "coordinator/loader.h"

#include <pthread.h>

#include "coordinator/failpoint.h"

enum loader_mail { LOADER_LOAD, LOADER_LIST, LOADER_INBOX, LOADER_STOP };

struct loader {
	pthread_t thread;
	struct mailbox *box;
	struct mail stop;
	struct loader_options options;
	struct store_reader *reader;
};

static int definition(void *ctx, const char *ns, const char *name, int64_t version,
					  struct saga_def **ret_def, struct err *err)
{
	return registry_get(ctx, ns, name, version, ret_def, err);
}

static bool handle(struct loader *loader, struct mail *mail)
{
	const struct loader_options *options = &loader->options;

	switch ((enum loader_mail)mail->type) {
	case LOADER_LOAD: {
		struct loaded_saga *loaded = CONTAINER_OF(mail, struct loaded_saga, mail);

		failpoint(FP_RECOVERY_LOAD);
		load_saga(loader->reader, definition, options->registry, loaded);
		failpoint(FP_RECOVERY_LOADED);
		options->loaded(options->ctx, loaded);
		return true;
	}
	case LOADER_LIST: {
		struct saga_list *list = CONTAINER_OF(mail, struct saga_list, mail);

		load_list(loader->reader, list);
		failpoint(FP_RECOVERY_LISTED);
		options->listed(options->ctx, list);
		return true;
	}
	case LOADER_INBOX: {
		struct inbox_read *read = CONTAINER_OF(mail, struct inbox_read, mail);

		load_inbox(loader->reader, read);
		if (read->deliveries)
			failpoint(FP_INBOX_READ);
		options->inbox(options->ctx, read);
		return true;
	}
	case LOADER_STOP:
		return false;
	}
	return false;
}

/* Thread: loader. */
static void *loader_main(void *arg)
{
	struct loader *loader = arg;
	bool going = true;

	while (going) {
		struct mail *mail = mailbox_drain(loader->box, -1);

		while (mail) {
			struct mail *next = mail->next;

			going &= handle(loader, mail);
			mail = next;
		}
	}
	return NULL;
}

int loader_start(const struct loader_options *options, struct loader **ret_loader, struct err *err)
{
	const struct store_ops *ops = options->store->ops;
	struct loader *loader = xcalloc(1, sizeof(*loader));
	int r;

	loader->options = *options;
	r = ops->reader_open(options->store, &loader->reader, err);
	if (r < 0) {
		free(loader);
		return r;
	}
	loader->box = mailbox_new(0);
	if (pthread_create(&loader->thread, NULL, loader_main, loader) != 0) {
		mailbox_free(loader->box);
		ops->reader_close(loader->reader);
		free(loader);
		return err_set(err, ERR_UNAVAILABLE, "cannot start the loader's thread");
	}
	pthread_setname_np(loader->thread, "skald-loader");
	*ret_loader = loader;
	return 0;
}

void loader_stop(struct loader *loader)
{
	if (!loader)
		return;
	loader->stop.type = LOADER_STOP;
	mailbox_post_reserved(loader->box, &loader->stop);
	pthread_join(loader->thread, NULL);
	mailbox_free(loader->box);
	loader->options.store->ops->reader_close(loader->reader);
	free(loader);
}

/* Bounded by what the turn has out: LOADS_MAX sagas, one list, one page, a look for each saga. */
void loader_load(struct loader *loader, struct loaded_saga *loaded)
{
	loaded->mail.type = LOADER_LOAD;
	mailbox_post_reserved(loader->box, &loaded->mail);
}

void loader_list(struct loader *loader, struct saga_list *list)
{
	list->mail.type = LOADER_LIST;
	mailbox_post_reserved(loader->box, &list->mail);
}

void loader_inbox(struct loader *loader, struct inbox_read *read)
{
	read->mail.type = LOADER_INBOX;
	mailbox_post_reserved(loader->box, &read->mail);
}
