/*
 * Everything that the page of one saga shows, kept true: the saga, what may be done to it, its
 * definition, and its history as far as somebody wants it. The live stream says that there is a new
 * row; the row goes into the history if it follows, and what lies between is asked for, so that a
 * stream that broke leaves no gap. The saga itself is read anew, at most a few times a second.
 */
import { useEffect, useMemo, useRef, useState } from '../h.js';
import { get } from '../api.js';
import { openStream } from '../live.js';
import { useResource } from '../resource.js';
import { at as path } from '../router.js';
import { useThrottled } from '../ui.js';
import { Events } from './history.js';

const PAGE_ROWS = 1000;
const SHORT = 300; /* a history of so many rows is read at once */
const AGAIN_MS = 400;
const POLL_MS = 5000;

export const seqOf = (etag) => Number(/"(\d+)/.exec(etag ?? '')?.[1] ?? 0);

function useHistory(id, head, wanted) {
	const own = useRef(null);
	const [state, setState] = useState({ version: 0, loading: false, error: null });
	if (own.current?.id !== id)
		own.current = { id, list: new Events(), busy: false, head: 0 };
	const mine = own.current, { list } = mine;
	mine.head = head;

	const fill = async () => {
		if (mine.busy || list.lastSeq >= mine.head)
			return;
		mine.busy = true;
		let error = null, came = 1;
		try {
			/* A page that brings nothing new: the rows are not there yet; the next look finds them. */
			while (list.lastSeq < mine.head && came > 0 && !mine.gone) {
				setState({ version: list.version, loading: true, error: null });
				const page = await get(path('sagas', id, 'history'), { after: list.lastSeq || undefined, limit: PAGE_ROWS });
				came = page.history.filter((row) => list.add(row)).length;
			}
		} catch (caught) {
			error = caught;
		}
		mine.busy = false;
		if (!mine.gone)
			setState({ version: list.version, loading: false, error });
	};
	useEffect(() => {
		if (wanted)
			fill();
	}, [id, wanted, head]);
	useEffect(() => () => { mine.gone = true; }, [mine]);

	return {
		entries: list.entries, rows: list.rows, version: list.version, lastSeq: list.lastSeq,
		whole: list.lastSeq >= head && head > 0, loading: state.loading, error: state.error,
		retry: fill,
		/* A row from the stream: true when it followed. */
		take(row) {
			const taken = list.add(row);
			if (taken)
				setState((now) => ({ ...now, version: list.version }));
			return taken;
		},
	};
}

export function useSaga(id, at, wantsHistory) {
	const present = useResource(path('sagas', id));
	const acts = useResource(path('sagas', id, 'acts'));
	const past = useResource(at ? path('sagas', id) : null, { at });
	/* What was shown stays until what is asked for is there: stepping through time does not flicker. */
	const shown = useRef(null);
	const fresh = (at ? past.data : present.data) ?? null;
	if (fresh)
		shown.current = fresh;
	const saga = fresh ?? (shown.current?.id === id ? shown.current : null);
	const name = present.data?.saga, version = present.data?.version;
	const definition = useResource(name ? path('definitions', name, 'versions', String(version)) : null);
	const [told, setTold] = useState(0);
	const [live, setLive] = useState('connecting');
	const head = Math.max(told, seqOf(present.etag));
	const history = useHistory(id, head, wantsHistory || (head > 0 && head <= SHORT));

	const again = useThrottled(() => {
		present.reload();
		acts.reload();
	}, AGAIN_MS);
	const now = useRef(null);
	now.current = { history, again };

	const ready = present.data?.id === id;
	useEffect(() => {
		if (!ready)
			return undefined;
		return openStream(path('sagas', id, 'events'), {
			history(row) {
				now.current.history.take(row);
				setTold((seq) => Math.max(seq, row.seq));
				now.current.again();
			},
		}, { after: String(seqOf(present.etag)), state: setLive });
	}, [id, ready]);
	/* Without the stream the saga is looked at every few seconds. */
	useEffect(() => {
		if (live === 'live')
			return undefined;
		const timer = setInterval(() => document.hidden || now.current.again(), POLL_MS);
		return () => clearInterval(timer);
	}, [live]);

	const doc = definition.data?.definition ?? null;
	return useMemo(() => ({
		id, at, saga, stale: !fresh, present: present.data, seq: seqOf(present.etag), head, live, history, doc, past,
		definition: definition.data, acts: at ? null : acts.data, actsError: acts.error,
		error: at ? past.error ?? present.error : present.error, reload: () => {
			present.reload();
			acts.reload();
		},
	}), [id, at, saga, fresh, present.data, present.etag, acts.data, acts.error, head, live, history.version, history.loading,
		history.error, doc, past.data, past.error, present.error]);
}
