#include "sagas/base/heap.h"

#include <stdlib.h>

#include "sagas/base/macros.h"

void heap_release(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){0};
}

static void set(struct heap *heap, size_t pos, struct heap_node *node)
{
	heap->nodes[pos - 1] = node;
	node->pos = pos;
}

static void sift_up(struct heap *heap, size_t pos, struct heap_node *node)
{
	while (pos > 1 && heap->nodes[pos / 2 - 1]->at > node->at) {
		set(heap, pos, heap->nodes[pos / 2 - 1]);
		pos /= 2;
	}
	set(heap, pos, node);
}

static void sift_down(struct heap *heap, size_t pos, struct heap_node *node)
{
	size_t child;

	while ((child = 2 * pos) <= heap->n) {
		if (child < heap->n && heap->nodes[child]->at < heap->nodes[child - 1]->at)
			child++;
		if (heap->nodes[child - 1]->at >= node->at)
			break;
		set(heap, pos, heap->nodes[child - 1]);
		pos = child;
	}
	set(heap, pos, node);
}

static void place(struct heap *heap, size_t pos, struct heap_node *node)
{
	if (pos > 1 && heap->nodes[pos / 2 - 1]->at > node->at)
		sift_up(heap, pos, node);
	else
		sift_down(heap, pos, node);
}

void heap_add(struct heap *heap, struct heap_node *node, int64_t at)
{
	CHECK(node->pos == 0);
	if (heap->n == heap->cap) {
		heap->cap = heap->cap ? heap->cap * 2 : 64;
		heap->nodes = xrealloc_array(heap->nodes, heap->cap, sizeof(struct heap_node *));
	}
	node->at = at;
	heap->n++;
	sift_up(heap, heap->n, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *last;
	size_t pos = node->pos;

	if (pos == 0)
		return;
	CHECK(pos <= heap->n && heap->nodes[pos - 1] == node);
	node->pos = 0;
	last = heap->nodes[--heap->n];
	if (last != node)
		place(heap, pos, last);
}

void heap_update(struct heap *heap, struct heap_node *node, int64_t at)
{
	if (node->pos == 0) {
		heap_add(heap, node, at);
		return;
	}
	CHECK(node->pos <= heap->n && heap->nodes[node->pos - 1] == node);
	node->at = at;
	place(heap, node->pos, node);
}

struct heap_node *heap_min(const struct heap *heap)
{
	return heap->n > 0 ? heap->nodes[0] : NULL;
}
