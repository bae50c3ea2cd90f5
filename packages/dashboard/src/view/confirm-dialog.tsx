/** The one dialog of the page: says what an action will do, asks for a reason, shows the answer. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import type { ActionAnswer } from '../api/answers.js';
import type { PipelineState } from '../state/pipeline-state.js';

export interface Action {
  readonly title: string;
  readonly effect: ComponentChildren;
  readonly verb: string;
  readonly isDangerous?: boolean;
  readonly state: PipelineState;
  readonly route: string;
  readonly body: object;
  readonly done?: () => void;
}

type Progress =
  | { readonly kind: 'asked' }
  | { readonly kind: 'running' }
  | { readonly kind: 'failed'; readonly message: string };

interface LastResult {
  readonly state: PipelineState;
  readonly text: string;
  readonly warning?: string | undefined;
}

const action = signal<Action | undefined>(undefined);
const progress = signal<Progress>({ kind: 'asked' });
const reason = signal('');
/** The answer to the last action, shown at its pipeline until the next one. */
export const lastResult = signal<LastResult | undefined>(undefined);

export function confirmAction(asked: Action): void {
  action.value = asked;
  progress.value = { kind: 'asked' };
  reason.value = '';
}

async function perform(asked: Action): Promise<void> {
  const { state, route, body, done } = asked;
  progress.value = { kind: 'running' };
  const why = reason.value.trim();
  const answer = await state.client.post<ActionAnswer>(state.path(route), {
    ...body,
    ...(why !== '' && { reason: why }),
  });
  state.refresh();
  void state.refreshDecisions();
  // A slow action may end after its dialog was closed, while the dialog asks for another one.
  const isShown = action.peek() === asked;
  if (!answer.ok) {
    const { failure } = answer;
    if (!isShown) {
      lastResult.value = { state, text: `${asked.verb}: ${failureText(failure)}` };
      return;
    }
    // The page asks for another token first; then the dialog is still there.
    progress.value =
      failure.kind === 'unauthenticated' ? { kind: 'asked' } : { kind: 'failed', message: failureText(failure) };
    return;
  }
  const { result, warning } = answer.value;
  lastResult.value = { state, text: result, warning };
  if (isShown) action.value = undefined;
  done?.();
}

const MOST_REASON_CHARACTERS = 500;

/** Shows only actions on `state`: the page may have changed to another pipeline meanwhile. */
export function ConfirmDialog({ state }: { readonly state: PipelineState }) {
  const element = useRef<HTMLDialogElement>(null);
  const asked = action.value?.state === state ? action.value : undefined;
  useEffect(() => {
    const dialog = element.current;
    if (asked !== undefined && dialog?.open === false) dialog.showModal();
    if (asked === undefined && dialog?.open === true) dialog.close();
  }, [asked]);
  const isRunning = progress.value.kind === 'running';
  return (
    <dialog
      ref={element}
      aria-labelledby="dialog-title"
      onClose={() => {
        action.value = undefined;
      }}
    >
      {asked !== undefined && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void perform(asked);
          }}
        >
          <h2 id="dialog-title">{asked.title}</h2>
          <div class="effect">{asked.effect}</div>
          <label for="reason">
            Reason <span class="muted">(optional, goes into the decision log)</span>
          </label>
          <input
            id="reason"
            maxLength={MOST_REASON_CHARACTERS}
            autocomplete="off"
            value={reason.value}
            onInput={({ currentTarget }) => {
              reason.value = currentTarget.value;
            }}
          />
          {progress.value.kind === 'failed' && (
            <p class="error" role="alert">
              {progress.value.message}
            </p>
          )}
          <div class="dialog-buttons">
            <button
              type="button"
              onClick={() => {
                action.value = undefined;
              }}
            >
              Cancel
            </button>
            <button type="submit" class={asked.isDangerous ? 'danger' : 'primary'} disabled={isRunning}>
              {isRunning ? 'Working' : asked.verb}
            </button>
          </div>
        </form>
      )}
    </dialog>
  );
}
