/** The first screen: what the browser runs when somebody has logged in. */
import { h, render } from 'preact';
import { App } from './app.tsx';
import { here, session, startClock } from './live.ts';
import { openSession } from './net.ts';
import { followStream, readPast } from './stream.ts';

const root = document.getElementById('page');
if (root !== null) {
  followStream();
  startClock();
  render(h(App, {}), root);
  // The server's own sentence stands until the page has one.
  const stop = here.subscribe((status) => {
    if (status === undefined) return;
    document.getElementById('verdict')?.remove();
    queueMicrotask(() => stop());
  });
  session.value = await openSession();
  if (session.value === undefined) location.assign('/login');
  else await readPast();
}
