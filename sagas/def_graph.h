/*
 * A definition as a picture: the graph of its steps in the languages of Mermaid and Graphviz.
 */
#ifndef SAGAS_DEF_GRAPH_H
#define SAGAS_DEF_GRAPH_H

#include "sagas/base/buf.h"
#include "sagas/def.h"

enum graph_format { GRAPH_MERMAID, GRAPH_DOT };

/*
 * Appends the graph. Needs that follow from others are left out; an undo hangs on its step with a
 * dotted line; the pivot is drawn as a hexagon.
 */
int saga_def_graph(const struct saga_def *def, enum graph_format format,
				   struct buf *out) MUST_CHECK;

#endif
