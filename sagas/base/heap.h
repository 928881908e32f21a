/*
 * A binary heap of nodes that live inside the caller's structs (timers): the smallest `at` comes
 * first. Among equals the order is fixed by the calls that were made, so a run can be repeated.
 */
#ifndef SAGAS_BASE_HEAP_H
#define SAGAS_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is a node in no heap. */
struct heap_node {
	int64_t at;
	size_t pos; /* the heap's: 1-based place, 0 when in no heap */
};

/* All zeros is an empty heap. */
struct heap {
	struct heap_node **nodes;
	size_t n, cap;
};

/* The nodes themselves are not touched. */
void heap_release(struct heap *heap);

/* The node must be in no heap; it may not move in memory while it is in one. */
void heap_add(struct heap *heap, struct heap_node *node, int64_t at);
/* Nothing happens when the node is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* Gives a node another time; adds it when it is in no heap. */
void heap_update(struct heap *heap, struct heap_node *node, int64_t at);
/* The node with the smallest `at`, which stays; NULL when the heap is empty. */
struct heap_node *heap_min(const struct heap *heap);

static inline bool heap_node_is_set(const struct heap_node *node)
{
	return node->pos != 0;
}

#endif
