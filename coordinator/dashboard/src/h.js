/*
 * The one door to Preact: `html` and the hooks. Whatever is put into a template becomes a text node
 * or an attribute, never markup; there is no other way to the document in this program.
 */
import htm from 'htm';
import { h } from 'preact';

export const html = htm.bind(h);
export { Fragment, cloneElement, createContext, render } from 'preact';
export {
	useCallback, useContext, useEffect, useId, useLayoutEffect, useMemo, useRef, useState,
} from 'preact/hooks';
