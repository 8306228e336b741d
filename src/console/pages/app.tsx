/** The frame of all pages: Piranha's tabs, who is logged in, how old the news is; loud when it is old. */
import { signal } from '@preact/signals';
import { type ComponentType, h } from 'preact';
import { useEffect } from 'preact/hooks';
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
  ['audit', 'Audit'],
] as const;
type Page = (typeof PAGES)[number][0];

function pageOf(hash: string): Page {
  return PAGES.find(([name]) => hash === `#/${name}`)?.[0] ?? 'monitoring';
}

const page = signal<Page>(pageOf(location.hash));
addEventListener('hashchange', () => {
  page.value = pageOf(location.hash);
});

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
      return <RehearsePage />;
    case 'audit':
      return <AuditPage />;
    default:
      return <EditPages page={page.value} />;
  }
}

/** A page whose chunk is fetched when it is first shown. */
function later<P extends object>(fetchPage: () => Promise<ComponentType<P>>): ComponentType<P> {
  const fetched = signal<ComponentType<P> | undefined>(undefined);
  return function Later(props: P) {
    useEffect(() => {
      void fetchPage().then((component) => {
        fetched.value = component;
      });
    }, []);
    return fetched.value === undefined ? <p>Loading …</p> : h(fetched.value, props);
  };
}

const RehearsePage = later(async () => (await import('./rehearse.ts')).RehearsePage);
const AuditPage = later(async () => (await import('./audit.ts')).AuditPage);
const EditPages = later(async () => (await import('./edit.ts')).EditPages);

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
