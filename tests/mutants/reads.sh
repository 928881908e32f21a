#!/bin/bash
# Mistakes in what watches and counts (streams, the overview, statistics), and in who may act from a
# browser, that unit tests have to find. Arguments name the mutants to try, none means all.
set -u
source "$(dirname "$0")/lib.sh"
unit=$build/tests/unit
targets="$unit/coordinator/test_streams $unit/coordinator/test_overview $unit/coordinator/test_peers
	$unit/coordinator/test_tally $unit/coordinator/test_definition_counts $unit/coordinator/test_http_text
	$unit/coordinator/test_dashboard $unit/coordinator/test_routes $unit/connectors/test_http_stats"
export targets
limit=60 only=$*
try() { export CK_TIMEOUT_MULTIPLIER=0.2; for program in $targets; do "$program" || exit 1; done; }
reason() { grep -aE ':[FE]:'; }
prepare
unharmed

targets=$unit/coordinator/test_streams
streams=coordinator/streams.c
mutant rows-from-the-first-again $streams 's/(stream->saga_id, )stream->seq,/\10,/'
mutant row-after-the-next $streams 's/page->stream->seq = row->seq;/page->stream->seq = row->seq + 1;/'
mutant sends-a-page-twice $streams 's/(memcpy\(data, stream->pending\.data \+ )stream->sent/\10/'
mutant reads-on-for-who-does-not-read $streams 's/if \(unsent\(stream\) == 0 && !is_over\(stream\) && \(stream->touched/if (!is_over(stream) \&\& (stream->touched/'
mutant pages-without-end $streams 's/page->full = [^;]*;/page->full = false;/'
mutant nobody-is-woken $streams 's/if \(!stream->parked \|\| \(unsent\(stream\) == 0 && !is_over\(stream\)\)\)/if (true)/'
mutant line-breaks-stay $streams "s/if \(\*p == '.n' \|\| \*p == '.r'\)/if (false)/"
mutant more-than-there-may-be $streams 's/streams->stats\.open >= streams->options\.max/false/'
mutant places-are-not-given-back $streams 's/\tstreams->stats\.open--;\n//'
mutant goes-on-after-the-end $streams 's/return stream->over \|\| stream->streams->ended;/return stream->over;/'
mutant never-sees-who-is-gone $streams 's/if \(overdue && client_is_gone\(stream\)\)/if (false)/'

targets=$unit/coordinator/test_overview
overview=coordinator/overview.c
mutant overview-is-never-kept $overview 's/now_ms - kept->at_ms < OVERVIEW_FRESH_MS/false/'
mutant overview-of-another-namespace $overview 's/ && strcmp\(kept->ns, ns\) == 0//'
mutant rates-with-holes $overview 's/\tadd_zeros\(minutes, row->at\);\n//' 's/if \(row->at == minutes->next\)/minutes->next = row->at;/'
mutant rates-without-their-end $overview 's/\tadd_zeros\(&walk, until\);\n//'
mutant the-time-is-a-change $overview 's/\thead = out->len;\n/\thead = 0;\n/'
mutant acknowledged-is-not $overview 's/\+= !attention_is_acknowledged\(row\)/+= 1/'
mutant oldest-of-the-ended $overview 's/if \(!saga_status_is_terminal\(i\)\)/if (true)/'
targets=$unit/coordinator/test_peers
mutant asks-each-time coordinator/peers.c 's/now_ms - peer->asked_ms >= ASK_EVERY_MS/true/'
mutant any-answer-will-do coordinator/peers.c 's/ && request->status == 200//'
mutant asks-itself coordinator/peers.c 's/ \|\| strcmp\(node->address, self\) == 0//'
targets=$unit/coordinator/test_tally
mutant series-without-end coordinator/tally.c 's/memory_order_relaxed\) > TALLY_MAX\)/memory_order_relaxed) > TALLY_MAX - 1)/' 's/return rows->list\[0\];\n\trow = add_row/return rows->list[1];\n\trow = add_row/'
mutant resolved-is-done coordinator/tally.c 's/event->by \? UNDO_END_RESOLVED : //'
mutant one-step-for-all coordinator/tally.c 's/if \(!row \|\| row_step != event->step\)/if (!row)/'
targets=$unit/coordinator/test_definition_counts
mutant versions-are-one coordinator/definition_counts.c 's/ \|\| \(version && row->version != version\)//'
mutant counts-in-the-order-they-came coordinator/definition_counts.c 's/\t\tqsort\([^;]*;/\t\t(void)compare;/'
targets=$unit/connectors/test_http_stats
mutant quantiles-of-ever connectors/http_stats.c 's/number < 0 \|\| number > newest \|\| number <= newest - HTTP_STATS_SLICES/number < 0/'
mutant slices-are-not-emptied connectors/http_stats.c 's/\t\t\tstore\(&slice->n\[i\], 0\);/\t\t\t(void)i;/'
mutant buckets-are-one-off connectors/http_stats.c 's/us > bounds\[bucket\]/us >= bounds[bucket]/'

targets=$unit/coordinator/test_http_text
text=coordinator/http_text.c
mutant any-origin $text 's/(http_origin_is_own[^{]*\{)/\1\n\treturn true;/'
mutant a-rebound-name-is-own $text 's/return host_is_known\(origins, host_of\(authority\)\);/return true;/'
mutant any-host-on-loopback $text 's/return !origins->loopback \|\| /return true || /'
mutant another-port-is-own $text 's/same_span\(authority, \(struct span\)\{host, strlen\(host\)\}\)/same_span(host_of(authority), host_of((struct span){host, strlen(host)}))/'
mutant names-that-end-alike $text 's/host\.len >= sizeof\(local\) &&/host.len >= 9 \&\&/' "s/\".localhost\"/\"localhost\"/" 's/sizeof\(local\) - 1/9/g'
mutant refused-gzip $text 's/return !is_refused\(rest\);/return true;/'
targets=$unit/coordinator/test_dashboard
mutant a-missing-asset-is-the-page coordinator/dashboard.c 's/file \|\| dashboard_is_immutable\(path\) \|\| type_by_ending\(path\)/file/'
targets=$unit/coordinator/test_routes
mutant rest-is-not-decoded coordinator/routes.c 's/if \(percent_decode\(rest, false\) < 0\)/if (false)/'

finish
