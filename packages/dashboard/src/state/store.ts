/** The state of the page: one client, the served pipelines, and the pipeline that is shown. */
import { computed, effect, signal } from '@preact/signals';
import { AdminClient, type ApiFailure } from '../api/admin-client.js';
import type { PipelineFacts } from '../api/answers.js';
import { chosenPipeline, missingPipeline } from './chosen-pipeline.js';
import { PipelineState } from './pipeline-state.js';
import { place } from './route.js';
import { token, tokenRefused, tokenState } from './token.js';

const client = new AdminClient({
  token: () => token.value,
  mayAsk: () => tokenState.value === 'accepted',
  onUnauthenticated: tokenRefused,
});

/** Undefined before the first answer. */
export const pipelines = signal<readonly PipelineFacts[] | undefined>(undefined);
/** Set while the list of pipelines cannot be read. */
export const listFailure = signal<ApiFailure | undefined>(undefined);

const RETRY_MS = 2000;
const REFRESH_MS = 10_000;

/** Name of the pipeline that the page showed last. */
const before = signal<string | undefined>(undefined);

const choice = computed(() => ({
  asked: place.value.pipeline,
  before: before.value,
  served: pipelines.value?.map(({ name }) => name),
}));

/** Name of the chosen pipeline if the server does not serve it. */
export const missing = computed(() => missingPipeline(choice.value));

/** Changes with the choice only, although the list is read again and again. */
const shownName = computed(() =>
  pipelines.value === undefined || missing.value !== undefined ? undefined : chosenPipeline(choice.value),
);

export const shown = signal<PipelineState | undefined>(undefined);

async function refreshPipelines(): Promise<void> {
  if (tokenState.value !== 'accepted') return;
  const answer = await client.get<{ readonly pipelines: readonly PipelineFacts[] }>('/admin/pipelines');
  listFailure.value = answer.ok ? undefined : answer.failure;
  if (answer.ok) pipelines.value = answer.value.pipelines;
}

/** Starts to follow the server. Runs until the page is closed. */
export function followServer(): void {
  const again = async () => {
    await refreshPipelines();
    setTimeout(() => void again(), listFailure.value === undefined ? REFRESH_MS : RETRY_MS);
  };
  void again();
  effect(() => {
    if (tokenState.value !== 'accepted') return;
    void refreshPipelines();
    shown.peek()?.refresh();
  });
  effect(() => {
    const name = shownName.value;
    const last = shown.peek();
    if (last?.name === name) return;
    last?.stop();
    shown.value = name === undefined ? undefined : new PipelineState(client, name);
    shown.peek()?.start();
    if (name !== undefined) before.value = name;
  });
  // The list says what is served instead.
  effect(() => {
    if (shown.value?.failure.value?.kind === 'not-found') void refreshPipelines();
  });
}
