/* A definition in which every part of the language occurs, for fuzz targets and tests of the core.
 */
#ifndef TESTS_SUPPORT_KITCHEN_SINK_H
#define TESTS_SUPPORT_KITCHEN_SINK_H

#define KITCHEN_SINK_INPUT                                                                         \
	"{\"list\":[{\"sku\":\"a\"},{\"sku\":\"b\"},{\"sku\":\"c\"}],\"flag\":true,\"turns\":2}"

#define KITCHEN_SINK                                                                               \
	"saga: sink\n"                                                                                 \
	"deadline: 1h\n"                                                                               \
	"participants: {svc: {timeout: 2s, outcome: {ongoing: [202], code: '${reply.body.code}'}}}\n"  \
	"defaults: {retry: {initial_interval: 1s, maximum_attempts: 3}}\n"                             \
	"steps:\n"                                                                                     \
	"  - id: many\n"                                                                               \
	"    for_each: ${input.list}\n"                                                                \
	"    max_parallel: 2\n"                                                                        \
	"    tolerate: ${failure.code == 'soft'}\n"                                                    \
	"    http: {to: svc, method: PUT, path: '/m/${item.sku}'}\n"                                   \
	"    compensate: {http: {to: svc, method: DELETE, path: '/m/${item.sku}'}}\n"                  \
	"  - id: turns\n"                                                                              \
	"    needs: []\n"                                                                              \
	"    repeat: {until: '${index >= input.turns}', max: 4}\n"                                     \
	"    http: {to: svc, method: POST, path: /t}\n"                                                \
	"    compensate: {http: {to: svc, method: DELETE, path: '/t/${index}', query: {why: "          \
	"'${saga.failure.code}'}}}\n"                                                                  \
	"  - id: nap\n"                                                                                \
	"    needs: [many]\n"                                                                          \
	"    await: {after: 90s}\n"                                                                    \
	"  - id: asked\n"                                                                              \
	"    needs: [turns]\n"                                                                         \
	"    when: ${input.flag}\n"                                                                    \
	"    http: {to: svc, method: POST, path: /a}\n"                                                \
	"    output: {id: '${reply.body.id}'}\n"                                                       \
	"    retry: {on_exhausted: park}\n"                                                            \
	"    probe: {http: {to: svc, method: GET, path: '/a/${step.uuid}'}, every: 5s, outcome: "      \
	"{absent: [404], failure: [422]}}\n"                                                           \
	"    compensate:\n"                                                                            \
	"      http: {to: svc, method: DELETE, path: '/a/${step.uuid}'}\n"                             \
	"      when: ${input.turns > 0}\n"                                                             \
	"      deadline: 10m\n"                                                                        \
	"      output: {refund: '${reply.body.id}'}\n"                                                 \
	"  - id: both\n"                                                                               \
	"    needs: [nap, asked]\n"                                                                    \
	"    set: {from: '${steps.asked.status}'}\n"                                                   \
	"  - id: pivot\n"                                                                              \
	"    pivot: true\n"                                                                            \
	"    http: {to: svc, method: POST, path: /p}\n"                                                \
	"    probe: {http: {to: svc, method: GET, path: /p}, outcome: {absent: [404]}}\n"              \
	"  - id: after\n"                                                                              \
	"    http: {to: svc, method: POST, path: /z}\n"                                                \
	"output: {done: '${steps.both.output.from}'}\n"                                                \
	"on_compensated:\n"                                                                            \
	"  - id: tell\n"                                                                               \
	"    http: {to: svc, method: POST, path: /tell, body: {why: '${saga.failure.code}'}}\n"

#endif
