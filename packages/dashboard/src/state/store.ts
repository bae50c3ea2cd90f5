/** The state of the page: one client, the served pipelines, and the pipeline that is shown. */
import { computed, effect, signal } from '@preact/signals';
import { AdminClient, type ApiFailure } from '../api/admin-client.js';
import type { PipelineFacts } from '../api/answers.js';
import { PipelineState } from './pipeline-state.js';
import { place } from './route.js';
import { token, tokenRefused, tokenState } from './token.js';

const client = new AdminClient(() => token.value, tokenRefused);

/** Undefined before the first answer. */
export const pipelines = signal<readonly PipelineFacts[] | undefined>(undefined);
/** Set while the list of pipelines cannot be read. */
export const listFailure = signal<ApiFailure | undefined>(undefined);

const RETRY_MS = 2000;
const REFRESH_MS = 10_000;

const shownName = computed(() => place.value.pipeline ?? pipelines.value?.[0]?.name);

/** True if the address names a pipeline that the server does not serve. */
export const isUnknown = computed(() => {
  const { pipeline } = place.value;
  return (
    pipeline !== undefined && pipelines.value !== undefined && !pipelines.value.some(({ name }) => name === pipeline)
  );
});

/** Depends on the list only in that it is read: the list changes with every reading. */
const isListed = computed(() => pipelines.value !== undefined);

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
    if (tokenState.value === 'accepted') void refreshPipelines();
  });
  effect(() => {
    const name = isListed.value && !isUnknown.value ? shownName.value : undefined;
    const before = shown.peek();
    if (before?.name === name) return;
    before?.stop();
    shown.value = name === undefined ? undefined : new PipelineState(client, name);
    shown.peek()?.start();
  });
}
