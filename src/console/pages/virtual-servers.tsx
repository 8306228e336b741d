/** Virtual Servers: the list, and for the chosen one Piranha's sub-tabs: Virtual Server, Real Server, Monitoring Scripts. */
import { signal, useSignal } from '@preact/signals';
import {
  addSection,
  addServer,
  outline,
  removeSection,
  type SectionPath,
} from '../../config/index.ts';
import type { CheckRun } from './documents.ts';
import { change, draft, isChanged, viewOf } from './draft.ts';
import { Fields, mayChange } from './editor.tsx';
import { renameSection, setField, wordsOf } from './form.ts';
import {
  MONITORING_SCRIPTS,
  NEW_REAL,
  NEW_VIRTUAL,
  REAL_SERVER,
  VIRTUAL_SERVER,
} from './form-fields.ts';
import { ask } from './net.ts';
import { Card, NameCell, Pill, say, Table } from './parts.tsx';
import { runText } from './service-rows.ts';

type Service = { readonly kind: 'virtual'; readonly name: string };
const TABS = ['Virtual Server', 'Real Server', 'Monitoring Scripts'] as const;
type Tab = (typeof TABS)[number];

const chosen = signal<string | undefined>(undefined);
const tab = signal<Tab>('Virtual Server');
const chosenServer = signal<string | undefined>(undefined);

function virtuals() {
  return outline(draft.value).sections.filter(({ kind }) => kind === 'virtual');
}

export function VirtualServers() {
  const sections = virtuals();
  const current = sections.find(({ name }) => name === chosen.value) ?? sections[0];
  return (
    <>
      <Card title="Virtual servers" aside={mayChange() && <AddVirtual />}>
        <div class="list">
          <Table
            columns={['name', 'status', 'VIP', ['device', 'wide'], 'port', ['protocol', 'wide']]}
          >
            {sections.map(({ name }) => (
              <VirtualRow key={name} name={name} isChosen={name === current?.name} />
            ))}
          </Table>
        </div>
        {sections.length === 0 && <p class="dim">There is none yet.</p>}
        {current !== undefined && mayChange() && <ListActions name={current.name} />}
      </Card>
      {current !== undefined && <OneVirtual name={current.name} />}
    </>
  );
}

/** As Piranha's (DE)ACTIVATE and DELETE below its list. */
function ListActions({ name }: { name: string }) {
  const path: SectionPath = { service: { kind: 'virtual', name } };
  const active = { key: 'active', label: '', kind: 'switch' } as const;
  const isActive = viewOf(path).field(active).value === '1';
  return (
    <p class="actions below">
      <button
        type="button"
        onClick={() => change(setField(draft.value, path, active, isActive ? '0' : '1'))}
      >
        {isActive ? `Deactivate ${name}` : `Activate ${name}`}
      </button>
      <button type="button" onClick={() => change(removeSection(draft.value, path))}>
        Delete {name}
      </button>
    </p>
  );
}

function VirtualRow({ name, isChosen }: { name: string; isChosen: boolean }) {
  const path: SectionPath = { service: { kind: 'virtual', name } };
  const view = viewOf(path);
  const value = (key: string, word?: 0 | 1): string =>
    view.field({ key, label: '', kind: 'text', ...(word !== undefined && { word }) }).value;
  const isActive = value('active') === '1';
  const errors = view.problems.filter(({ severity }) => severity === 'error').length;
  return (
    <tr class={isChosen ? 'chosen' : ''}>
      <NameCell
        name={name}
        isChosen={isChosen}
        onOpen={() => {
          chosen.value = name;
          chosenServer.value = undefined;
        }}
      />
      <td>
        {errors > 0 ? (
          <Pill tone="bad">error</Pill>
        ) : (
          <Pill tone={isActive ? 'good' : 'dim'}>{isActive ? 'up' : 'down'}</Pill>
        )}
      </td>
      <td>{value('address', 0)}</td>
      <td class="wide">{value('address', 1)}</td>
      <td>{value('port') || '80'}</td>
      <td class="wide">{value('protocol') || 'tcp'}</td>
    </tr>
  );
}

function freeName(stem: string, taken: readonly string[]): string {
  for (let number = 1; ; number++) {
    const name = `${stem}${number}`;
    if (!taken.includes(name)) return name;
  }
}

function AddVirtual() {
  const add = (): void => {
    const name = freeName(
      'service',
      virtuals().map((it) => it.name),
    );
    if (change(addSection(draft.value, 'virtual', { name, directives: NEW_VIRTUAL }))) {
      chosen.value = name;
      tab.value = 'Virtual Server';
    }
  };
  return (
    <button type="button" onClick={add}>
      Add a virtual server
    </button>
  );
}

function OneVirtual({ name }: { name: string }) {
  const service: Service = { kind: 'virtual', name };
  return (
    <Card
      title={name}
      aside={
        <div class="tabs" role="tablist" aria-label={`parts of ${name}`}>
          {TABS.map((title) => (
            <button
              key={title}
              type="button"
              role="tab"
              id={tabId(title)}
              aria-controls="virtual-part"
              aria-selected={tab.value === title}
              tabIndex={tab.value === title ? 0 : -1}
              onKeyDown={(event) => step(event.key)}
              onClick={() => {
                tab.value = title;
              }}
            >
              {title}
            </button>
          ))}
        </div>
      }
    >
      <div id="virtual-part" role="tabpanel" aria-labelledby={tabId(tab.value)}>
        {tab.value === 'Virtual Server' && <VirtualPart service={service} />}
        {tab.value === 'Real Server' && <RealPart service={service} />}
        {tab.value === 'Monitoring Scripts' && <ScriptsPart service={service} />}
      </div>
    </Card>
  );
}

function tabId(title: string): string {
  return `tab-${title.replaceAll(' ', '-')}`;
}

/** Arrow keys go from tab to tab, as everywhere. */
function step(key: string): void {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (by === undefined) return;
  const next = TABS[(TABS.indexOf(tab.value) + by + TABS.length) % TABS.length];
  if (next === undefined) return;
  tab.value = next;
  requestAnimationFrame(() => document.getElementById(tabId(next))?.focus());
}

function NameField(props: {
  path: SectionPath & { readonly service: Service };
  name: string;
  onName: (name: string) => void;
}) {
  const { path, name, onName } = props;
  const id = `name-of-${path.server === undefined ? 'virtual' : 'real'}`;
  return (
    <p class="field">
      <label for={id}>Name</label>
      <span class="input">
        <input
          id={id}
          type="text"
          value={name}
          disabled={!mayChange()}
          onChange={(event) => {
            const next = event.currentTarget.value.trim();
            if (next !== name && change(renameSection(draft.value, path, next))) onName(next);
            else event.currentTarget.value = name;
          }}
        />
      </span>
    </p>
  );
}

function VirtualPart({ service }: { service: Service }) {
  return (
    <>
      <div class="fields">
        <NameField
          path={{ service }}
          name={service.name}
          onName={(name) => {
            chosen.value = name;
          }}
        />
      </div>
      <Fields groups={VIRTUAL_SERVER} path={{ service }} />
    </>
  );
}

function serversOf(service: Service) {
  const section = virtuals().find(({ name }) => name === service.name);
  return section?.sections.filter(({ kind }) => kind === 'server') ?? [];
}

function RealPart({ service }: { service: Service }) {
  const servers = serversOf(service);
  const current = servers.find(({ name }) => name === chosenServer.value) ?? servers[0];
  const add = (): void => {
    const name = freeName(
      'real',
      servers.map((it) => it.name),
    );
    if (change(addServer(draft.value, { service }, { name, directives: NEW_REAL }))) {
      chosenServer.value = name;
    }
  };
  return (
    <>
      <Table columns={['name', 'status', 'address', 'weight']}>
        {servers.map((section) => {
          const word = (key: string): string => {
            const setting = section.settings.findLast((it) => it.key === key);
            return setting === undefined ? '' : (wordsOf(draft.value, setting.line)[0] ?? '');
          };
          const isActive = word('active') === '1';
          return (
            <tr key={section.name} class={section === current ? 'chosen' : ''}>
              <NameCell
                name={section.name}
                isChosen={section === current}
                onOpen={() => {
                  chosenServer.value = section.name;
                }}
              />
              <td>
                <Pill tone={isActive ? 'good' : 'dim'}>{isActive ? 'up' : 'down'}</Pill>
              </td>
              <td>
                {word('address')}
                {word('port') !== '' && `:${word('port')}`}
              </td>
              <td>{word('weight') || '1'}</td>
            </tr>
          );
        })}
      </Table>
      {servers.length === 0 && <p class="dim">It has no real server yet.</p>}
      {mayChange() && (
        <p class="actions">
          <button type="button" onClick={add}>
            Add a real server
          </button>
        </p>
      )}
      {current !== undefined && <OneReal service={service} name={current.name} />}
    </>
  );
}

function OneReal({ service, name }: { service: Service; name: string }) {
  const path = { service, server: name };
  return (
    <>
      <div class="fields">
        <NameField
          path={path}
          name={name}
          onName={(next) => {
            chosenServer.value = next;
          }}
        />
      </div>
      <Fields groups={REAL_SERVER} path={path} />
      <p class="actions">
        <TestNow service={service.name} server={name} />
        {mayChange() && (
          <button type="button" onClick={() => change(removeSection(draft.value, path))}>
            Delete {name}
          </button>
        )}
      </p>
    </>
  );
}

function ScriptsPart({ service }: { service: Service }) {
  return (
    <>
      <Fields groups={MONITORING_SCRIPTS} path={{ service }} />
      <p class="actions">
        {serversOf(service).map(({ name }) => (
          <TestNow key={name} service={service.name} server={name} />
        ))}
      </p>
    </>
  );
}

/** One probe by the director, as its running file says. */
function TestNow({ service, server }: { service: string; server: string }) {
  const isWorking = useSignal(false);
  const run = async (): Promise<void> => {
    isWorking.value = true;
    const answer = await ask<CheckRun>('/v1/checks/run', { body: { service, server } });
    isWorking.value = false;
    const remark = isChanged.value ? ' (the running file’s check, not the one being edited)' : '';
    if (!answer.ok) say('bad', answer.error.title);
    else {
      const [tone, sentence] = runText(`${service}/${server}`, answer.value);
      say(tone, sentence + remark);
    }
  };
  return (
    <button type="button" disabled={isWorking.value} onClick={() => void run()}>
      {isWorking.value ? `Testing ${server} …` : `Test the check of ${server} now`}
    </button>
  );
}
