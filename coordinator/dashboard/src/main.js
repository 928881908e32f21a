/* The dashboard begins here: index.html loads this and nothing else. */
import { html, render } from './h.js';
import { App } from './app.js';
import { startLive } from './live.js';
import { watchRoute } from './router.js';
import './style/index.css';

startLive(watchRoute);
render(html`<${App} />`, document.getElementById('app'));
