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

/* The same for what goes through Kafka; it takes the same input. */
#define KITCHEN_SINK_KAFKA                                                                         \
	"saga: kafka-sink\n"                                                                           \
	"deadline: 2h\n"                                                                               \
	"participants: {svc: {timeout: 20s}}\n"                                                        \
	"defaults: {retry: {initial_interval: 1s, maximum_attempts: 3}}\n"                             \
	"cancel_on:\n"                                                                                 \
	"  - {kafka: stop, correlate: {from: '${event.data}', expect: '${input.turns}'}}\n"            \
	"  - {kafka: halt, correlate: {from: '${event.data}', expect: x}, when: '${event.n > 1}'}\n"   \
	"steps:\n"                                                                                     \
	"  - id: many\n"                                                                               \
	"    for_each: ${input.list}\n"                                                                \
	"    max_parallel: 2\n"                                                                        \
	"    tolerate: ${failure.code == 'soft'}\n"                                                    \
	"    command: {to: svc, key: '${item.sku}', type: Many, data: '${item}'}\n"                    \
	"    probe: {command: {to: svc, type: Look}, every: 5s, outcome: {absent: [NotFound]}}\n"      \
	"    compensate: {command: {to: svc, key: '${item.sku}', type: Undo}, outcome: {success: "     \
	"[NotFound]}}\n"                                                                               \
	"  - id: told\n"                                                                               \
	"    needs: []\n"                                                                              \
	"    emit: {topic: told, type: Told, data: {n: '${input.turns}'}}\n"                           \
	"    compensate: {emit: {topic: told, type: Untold, data: {why: '${saga.failure.code}'}}}\n"   \
	"  - id: paid\n"                                                                               \
	"    needs: [told]\n"                                                                          \
	"    await: {kafka: paid, correlate: {from: '${event.data}', expect: x}, when: '${event.n > "  \
	"1}'}\n"                                                                                       \
	"    timeout: 10m\n"                                                                           \
	"    output: {n: '${event.n}'}\n"                                                              \
	"    tolerate: ${input.turns > 5}\n"                                                           \
	"  - id: held\n"                                                                               \
	"    needs: [told]\n"                                                                          \
	"    command: {to: svc, type: Hold}\n"                                                         \
	"    timeout: 1h\n"                                                                            \
	"    outcome: {failure: [\"${reply.type == 'Refused'}\"]}\n"                                   \
	"    retry: {on_exhausted: park}\n"                                                            \
	"    compensate:\n"                                                                            \
	"      command: {to: svc, type: Free, data: {why: '${saga.failure.code}'}}\n"                  \
	"      when: ${input.turns > 0}\n"                                                             \
	"      deadline: 10m\n"                                                                        \
	"      probe: {command: {to: svc, type: LookFree}, every: 5s, outcome: {absent: "              \
	"[NotFound]}}\n"                                                                               \
	"  - {id: both, needs: [many, paid, held], http: {to: svc, method: PUT, path: /b}, "           \
	"compensate: "                                                                                 \
	"{command: {to: svc, type: Unboth}}}\n"                                                        \
	"  - {id: pivot, pivot: true, command: {to: svc, type: Pivot}}\n"                              \
	"  - {id: after, await: {kafka: paid, correlate: {from: '${event.data}', expect: x}}, "        \
	"timeout: 10m}\n"                                                                              \
	"on_compensated:\n"                                                                            \
	"  - {id: tell, emit: {topic: told, type: Gone, data: '${saga.failure}'}}\n"                   \
	"  - {id: last, command: {to: svc, type: Last}, timeout: 2h}\n"

#endif
