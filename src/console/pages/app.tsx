/** The frame of all pages: Piranha's tabs, who is logged in, how old the news is; loud when it is old. */
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import type { EditPageName } from './edit-pages.tsx';
import { here, isStale, lastTruthAt, now, session, whyNotHere } from './live.ts';
import { MonitorPage, Verdict } from './monitor-page.tsx';
import { logOut } from './net.ts';
import { Notices } from './parts.tsx';
import { configEvents, lookForPending, PendingBar } from './pending.tsx';
import { clockText } from './words.ts';

const PAGES = [
  ['monitoring', 'Control / Monitoring'],
  ['global', 'Global Settings'],
  ['redundancy', 'Redundancy'],
  ['virtual', 'Virtual Servers'],
  ['rehearse', 'Rehearse'],
] as const;
type Page = (typeof PAGES)[number][0];

function pageOf(hash: string): Page {
  return PAGES.find(([name]) => hash === `#/${name}`)?.[0] ?? 'monitoring';
}

const page = signal<Page>(pageOf(location.hash));
addEventListener('hashchange', () => {
  page.value = pageOf(location.hash);
});

const editPages = signal<ComponentType<{ page: EditPageName }> | undefined>(undefined);
const rehearsePage = signal<ComponentType | undefined>(undefined);

export function App() {
  useEffect(() => {
    void lookForPending();
  }, [configEvents.value]);
  const title = PAGES.find(([name]) => name === page.value)?.[1] ?? '';
  useEffect(() => {
    document.title = `${title} · ${here.value?.node ?? 'Piranha'} · Piranha`;
  }, [title]);
  return (
    <div class={isStale.value ? 'frame stale' : 'frame'}>
      <a class="skip" href="#content">
        Skip to the page
      </a>
      <header class="top">
        <span class="brand">Piranha</span>
        <nav aria-label="Pages">
          {PAGES.map(([name, words]) => (
            <a
              key={name}
              href={`#/${name}`}
              {...(page.value === name && { 'aria-current': 'page' })}
            >
              {words}
            </a>
          ))}
        </nav>
        <p class="who">
          {here.value?.node ?? ''}{' '}
          {session.value !== undefined && `· ${session.value.user} (${session.value.rights}) `}
          <button type="button" onClick={() => void logOut()}>
            Log out
          </button>
        </p>
      </header>
      <StaleBar />
      <PendingBar />
      <Notices />
      <div id="content" class="content">
        <h1 class="unseen">{title}</h1>
        {page.value !== 'monitoring' && page.value !== 'rehearse' && <Verdict />}
        <PageView />
      </div>
    </div>
  );
}

function PageView() {
  switch (page.value) {
    case 'monitoring':
      return <MonitorPage />;
    case 'rehearse':
      return <Rehearse />;
    default:
      return <Edit page={page.value} />;
  }
}

function Edit({ page: name }: { page: EditPageName }) {
  useEffect(() => {
    void import('./edit.ts').then(({ EditPages }) => {
      editPages.value = EditPages;
    });
  }, []);
  const Pages = editPages.value;
  return Pages === undefined ? <p>Loading …</p> : <Pages page={name} />;
}

function Rehearse() {
  useEffect(() => {
    void import('./rehearse.ts').then(({ RehearsePage }) => {
      rehearsePage.value = RehearsePage;
    });
  }, []);
  const Page = rehearsePage.value;
  return Page === undefined ? <p>Loading …</p> : <Page />;
}

/** Old news must not look like news. */
function StaleBar() {
  if (isStale.value) {
    return (
      <p class="stale-bar" role="alert">
        <strong>
          ✗ What is shown is old: last truth {clockText(lastTruthAt.value)}, {age()} ago.
        </strong>{' '}
        {whyNotHere.value ?? 'The console does not answer.'}
      </p>
    );
  }
  if (whyNotHere.value !== undefined) {
    return (
      <p class="stale-bar" role="alert">
        <strong>✗ {whyNotHere.value}</strong>
      </p>
    );
  }
  return null;
}

function age(): string {
  return `${Math.round((now.value - lastTruthAt.value) / 1000)} s`;
}
