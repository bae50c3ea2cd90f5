/** The page: what is shown before there is data, and the shell around a pipeline. */
import { failureText } from '../api/admin-client.js';
import { CONNECTION_NAMES, connectionOf } from '../state/connection.js';
import { hashOf, place, VIEWS, type View } from '../state/route.js';
import { listFailure, missing, pipelines, shown } from '../state/store.js';
import { theme } from '../state/theme.js';
import { enterToken, token, tokenState } from '../state/token.js';
import { Notice } from './notice.js';
import { PipelineView } from './pipeline-view.js';
import { TokenForm } from './token-form.js';
import { useNowMs } from './use-now-ms.js';

const VIEW_NAMES: Readonly<Record<View, string>> = {
  overview: 'Overview',
  decisions: 'Decisions',
  'what-if': 'What if',
  frontier: 'Frontier',
  requests: 'Requests',
  why: 'Why',
  profiles: 'Profiles',
};

export function Page() {
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('content')?.focus()}>
        Skip to the content
      </button>
      <TopBar />
      <main id="content" tabIndex={-1}>
        <Content />
      </main>
    </>
  );
}

function Content() {
  if (tokenState.value !== 'accepted') return <TokenForm isRefused={tokenState.value === 'refused'} />;
  const all = pipelines.value;
  if (all === undefined) {
    if (listFailure.value === undefined) return <Notice kind="loading" title="Reading the pipelines" />;
    return (
      <Notice kind="bad" title="No connection to the server">
        <p>{failureText(listFailure.value)} This page tries again every two seconds.</p>
      </Notice>
    );
  }
  if (all.length === 0) {
    return (
      <Notice kind="empty" title="No pipeline is served">
        <p>
          Start one with <code>equipoise serve FILE</code>. This page shows it as soon as it is ready.
        </p>
      </Notice>
    );
  }
  if (missing.value !== undefined) {
    return (
      <Notice kind="empty" title={`No pipeline named ${missing.value}`}>
        <p>The server no longer serves it, or never did. It serves:</p>
        <ul class="plain">
          {all.map(({ name }) => (
            <li key={name}>
              <a href={hashOf(name, 'overview')}>{name}</a>
            </li>
          ))}
        </ul>
      </Notice>
    );
  }
  const state = shown.value;
  return state === undefined ? (
    <Notice kind="loading" title="Reading the pipeline" />
  ) : (
    <PipelineView key={state.name} state={state} />
  );
}

function TopBar() {
  const state = shown.value;
  return (
    <header class="top">
      <div class="top-row">
        <span class="brand">
          <img src="/mark.svg" alt="" width="22" height="22" />
          Equipoise
        </span>
        <PipelinePicker />
        <Connection />
        <ThemeSwitch />
        {token.value !== undefined && (
          <button type="button" class="quiet" onClick={() => enterToken(undefined)}>
            Sign out
          </button>
        )}
      </div>
      {state !== undefined && tokenState.value === 'accepted' && (
        <nav aria-label="Views">
          <ul class="tabs">
            {VIEWS.map((view) => (
              <li key={view}>
                <a href={hashOf(state.name, view)} aria-current={place.value.view === view ? 'page' : undefined}>
                  {VIEW_NAMES[view]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
    </header>
  );
}

function PipelinePicker() {
  const all = pipelines.value ?? [];
  const name = shown.value?.name;
  if (all.length === 0 || tokenState.value !== 'accepted') return <span class="spring" />;
  if (all.length === 1 && name !== undefined) return <span class="pipeline-name spring">{name}</span>;
  return (
    <span class="spring">
      <select
        aria-label="Pipeline"
        value={name}
        onChange={({ currentTarget }) => {
          location.hash = hashOf(currentTarget.value, place.value.view);
        }}
      >
        {all.map((each) => (
          <option key={each.name} value={each.name}>
            {each.name}
            {each.ready ? '' : ' (not ready)'}
          </option>
        ))}
      </select>
    </span>
  );
}

function Connection() {
  const state = shown.value;
  const nowMs = useNowMs();
  if (state === undefined || tokenState.value !== 'accepted') return null;
  const readAtMs = state.readAtMs.value;
  const connection = connectionOf({
    failure: state.failure.value,
    readAgeMs: readAtMs === undefined ? undefined : nowMs - readAtMs,
    stream: state.stream.value,
  });
  const level = { lost: 'is-bad', late: 'is-bad', live: 'is-ok', polling: 'is-ok', connecting: '' }[connection];
  return (
    <span class={`connection ${level}`} role="status">
      <span class="pip" aria-hidden="true" />
      {CONNECTION_NAMES[connection]}
    </span>
  );
}

const NEXT = { system: 'light', light: 'dark', dark: 'system' } as const;
const THEME_NAMES = { system: 'Auto', light: 'Light', dark: 'Dark' } as const;

function ThemeSwitch() {
  const current = theme.value;
  return (
    <button
      type="button"
      class="quiet"
      aria-label={`Colors: ${THEME_NAMES[current]}. Change to ${THEME_NAMES[NEXT[current]]}.`}
      title="Colors of this page"
      onClick={() => {
        theme.value = NEXT[current];
      }}
    >
      <span aria-hidden="true">{current === 'dark' ? '☾' : current === 'light' ? '☀' : '◐'}</span>
      <span class="wide-only">{THEME_NAMES[current]}</span>
    </button>
  );
}
