/** The mode of the loop, and the actions on the whole pipeline. */
import type { ControlMode } from '../api/answers.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { refusedActions } from '../state/refused-actions.js';
import { ConfirmDialog, confirmAction, lastResult } from './confirm-dialog.js';

interface Mode {
  readonly mode: ControlMode;
  readonly name: string;
  readonly route: string;
  readonly effect: string;
}

const MODES: readonly Mode[] = [
  { mode: 'auto', name: 'Auto', route: '/resume', effect: 'The loop plans and applies its plans.' },
  {
    mode: 'advise',
    name: 'Advise',
    route: '/advise',
    effect: 'The loop plans and logs its decisions, but changes nothing. You can apply a decision by hand.',
  },
  {
    mode: 'off',
    name: 'Paused',
    route: '/pause',
    effect: 'The loop neither plans nor changes anything. The running plan keeps serving, also if the load changes.',
  },
];

export function Controls({ state }: { readonly state: PipelineState }) {
  const facts = state.facts.value;
  if (facts === undefined) return null;
  const isLost = state.failure.value !== undefined;
  const pinned = Object.keys(facts.pins);
  const refused = refusedActions(facts);
  const isReadOnly = facts.fixed || refused !== undefined;
  return (
    <div class="controls">
      <fieldset class="modes" disabled={isLost || isReadOnly}>
        <legend class="hidden">Mode of the control loop</legend>
        {MODES.map(({ mode, name, route, effect }) => (
          <button
            key={mode}
            type="button"
            title={effect}
            aria-pressed={facts.mode === mode}
            onClick={() => {
              if (facts.mode === mode) return;
              confirmAction({
                title: `${name}?`,
                effect: <p>{effect}</p>,
                verb: `Set ${name}`,
                state,
                route,
                body: {},
              });
            }}
          >
            {name}
          </button>
        ))}
      </fieldset>
      {facts.fixed && refused === undefined && (
        <span class="muted">
          Read-only: a fixed plan is served, so the loop makes no changes. You can still apply another plan.
        </span>
      )}
      {refused !== undefined && (
        <details class="read-only">
          <summary>Read-only: {refused.because}</summary>
          <p>{refused.instead}</p>
        </details>
      )}
      {pinned.length > 0 && (
        <button
          type="button"
          disabled={isLost || refused !== undefined}
          onClick={() =>
            confirmAction({
              title: 'Remove all pins?',
              effect: (
                <p>The loop plans again and chooses freely at {pinned.join(', ')}. Pins of the pipeline file stay.</p>
              ),
              verb: 'Remove pins',
              state,
              route: '/unpin',
              body: {},
            })
          }
        >
          {pinned.length === 1 ? '1 pin' : `${pinned.length} pins`} ✕
        </button>
      )}
      <button
        type="button"
        disabled={isLost || isReadOnly}
        onClick={() =>
          confirmAction({
            title: 'Roll back?',
            effect: (
              <p>
                Applies the newest earlier plan that was good and carries the current load, at once.
                {facts.mode === 'auto' && ' The mode becomes Advise, so that the loop does not undo it.'}
              </p>
            ),
            verb: 'Roll back',
            isDangerous: true,
            state,
            route: '/roll-back',
            body: {},
          })
        }
      >
        Roll back
      </button>
      {lastResult.value?.state === state && (
        <output class="result">
          {lastResult.value.text}
          {lastResult.value.warning !== undefined && <strong> Warning: {lastResult.value.warning}</strong>}
          <button
            type="button"
            class="quiet"
            aria-label="Dismiss"
            onClick={() => {
              lastResult.value = undefined;
            }}
          >
            ✕
          </button>
        </output>
      )}
      <ConfirmDialog state={state} />
    </div>
  );
}
