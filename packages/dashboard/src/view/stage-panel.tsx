/** Details of one stage, and its pins. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ControlMode, GraphStage, StagePins } from '../api/answers.js';
import { digits } from '../format/figures.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { refusedActions } from '../state/refused-actions.js';
import { pinsText, withChoice } from '../state/stage-pins.js';
import { desiredReplicas } from '../state/stage-status.js';
import { confirmAction } from './confirm-dialog.js';

interface StagePanelProps {
  readonly state: PipelineState;
  readonly stageId: string;
  readonly close: () => void;
}

export function StagePanel({ state, stageId, close }: StagePanelProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
  }, [stageId]);
  const stage = state.graph.value?.stages.find((each) => each.stageId === stageId);
  const running = state.running.value?.stages[stageId];
  return (
    <dialog ref={element} class="side" aria-labelledby="stage-title" onClose={close}>
      <div class="side-head">
        <h2 id="stage-title">{stageId}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={() => element.current?.close()}>
          ✕
        </button>
      </div>
      <h3>{state.replayAt.value === undefined ? 'Replicas' : 'Replicas now'}</h3>
      <ReplicaFigures state={state} stageId={stageId} />
      <table>
        <thead>
          <tr>
            <th>Replica</th>
            <th>Variant</th>
            <th class="number">Cores</th>
            <th>Status</th>
          </tr>
        </thead>
        <tbody>
          {running?.replicas.map(({ replicaId, variantId, resources, status }) => (
            <tr key={replicaId}>
              <td>{replicaId}</td>
              <td>{variantId}</td>
              <td class="number">{digits(resources.cpuCores)}</td>
              <td>
                <span class={`dot is-${status === 'failed' ? 'unhealthy' : status}`} aria-hidden="true" /> {status}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {running?.rolledBack !== undefined && (
        <p class="muted">
          Avoided after failed changes: {running.rolledBack.map(({ variantId }) => variantId).join(', ')}.
        </p>
      )}
      {stage !== undefined && <Variants stage={stage} />}
      {stage !== undefined && <Pins state={state} stage={stage} close={() => element.current?.close()} />}
    </dialog>
  );
}

/** Desired by the plan, target of the changes under way, and ready. */
function ReplicaFigures({ state, stageId }: Pick<StagePanelProps, 'state' | 'stageId'>) {
  const replicas = state.running.value?.stages[stageId]?.replicas ?? [];
  const of = (...wanted: string[]) => replicas.filter(({ status }) => wanted.includes(status)).length;
  const desired = desiredReplicas(state.plan.value, stageId);
  const figures = [
    ['Desired', desired ?? '–', 'by the plan'],
    ['Target', of('ready', 'starting'), 'ready or starting'],
    ['Ready', of('ready'), 'in service'],
  ] as const;
  return (
    <dl class="pairs">
      {figures.map(([name, count, meaning]) => (
        <div key={name} title={meaning}>
          <dt>{name}</dt>
          <dd>{count}</dd>
        </div>
      ))}
    </dl>
  );
}

function Variants({ stage }: { readonly stage: GraphStage }) {
  return (
    <>
      <h3>Variants</h3>
      <table>
        <thead>
          <tr>
            <th>Variant</th>
            <th class="number">Accuracy</th>
            <th>Cores to choose from</th>
          </tr>
        </thead>
        <tbody>
          {stage.variants.map(({ variantId, accuracy, cpuCores }) => (
            <tr key={variantId}>
              <td>{variantId}</td>
              <td class="number">{accuracy === undefined ? '–' : `${accuracy.value.toFixed(3)}`}</td>
              <td>{cpuCores.map(digits).join(', ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

interface PinFormProps {
  readonly state: PipelineState;
  readonly stage: GraphStage;
  readonly close: () => void;
}

/** A form, or the pins of the pipeline file where the server refuses others. */
function Pins({ state, stage, close }: PinFormProps) {
  const facts = state.facts.value;
  const refused = facts && refusedActions(facts);
  if (refused === undefined) return <PinForm {...{ state, stage, close }} />;
  const pins = Object.entries(stage.pins).map(([name, value]) => `${name} ${value}`);
  return (
    <>
      <h3>Pins</h3>
      <p>{pins.length === 0 ? 'None.' : `${pins.join(', ')}.`}</p>
      <p class="muted">{refused.instead}</p>
    </>
  );
}

const PIN_EFFECTS: Readonly<Record<ControlMode, string>> = {
  auto: 'The loop plans with it at once.',
  advise: 'The loop only advises, so nothing changes before you apply a plan or set Auto.',
  off: 'The loop is paused, so nothing changes before you set Auto.',
};

const FIXED_EFFECT = 'A fixed plan is served, so nothing changes.';

function PinForm({ state, stage, close }: PinFormProps) {
  const { mode = 'auto', fixed = false } = state.facts.value ?? {};
  const pins: StagePins = state.facts.value?.pins[stage.stageId as never] ?? {};
  const variant = useSignal<string>(pins.variantId ?? '');
  const replicas = useSignal<string>(pins.replicas === undefined ? '' : `${pins.replicas}`);
  const isPinned = Object.keys(pins).length > 0;
  const isLost = state.failure.value !== undefined;
  const chosen = withChoice(pins, variant.value, Number(replicas.value));
  const submit = (event: Event) => {
    event.preventDefault();
    close();
    confirmAction({
      title: `Pin ${stage.stageId}?`,
      effect: (
        <p>
          Every plan keeps {pinsText(chosen)} at {stage.stageId}, until you unpin it.{' '}
          {fixed ? FIXED_EFFECT : PIN_EFFECTS[mode]}
        </p>
      ),
      verb: 'Pin',
      ...{ state, route: '/pin', body: { stageId: stage.stageId, ...chosen } },
    });
  };
  const unpin = () => {
    close();
    confirmAction({
      title: `Unpin ${stage.stageId}?`,
      effect: <p>Plans choose freely at {stage.stageId} again.</p>,
      verb: 'Unpin',
      ...{ state, route: '/unpin', body: { stageId: stage.stageId } },
    });
  };
  return (
    <form onSubmit={submit}>
      <h3>Pins</h3>
      <div class="fields">
        <div>
          <label for="pin-variant">Variant</label>
          <select
            id="pin-variant"
            value={variant.value}
            onChange={({ currentTarget }) => {
              variant.value = currentTarget.value;
            }}
          >
            <option value="">free</option>
            {stage.variants.map(({ variantId }) => (
              <option key={variantId} value={variantId}>
                {variantId}
              </option>
            ))}
          </select>
        </div>
        <div>
          <label for="pin-replicas">Replicas</label>
          <input
            id="pin-replicas"
            type="number"
            min={Math.max(1, stage.bounds.minReplicas)}
            max={stage.bounds.maxReplicas}
            placeholder="free"
            value={replicas.value}
            onInput={({ currentTarget }) => {
              replicas.value = currentTarget.value;
            }}
          />
        </div>
      </div>
      <div class="dialog-buttons">
        {isPinned && (
          <button type="button" disabled={isLost} onClick={unpin}>
            Unpin
          </button>
        )}
        <button type="submit" class="primary" disabled={isLost || Object.keys(chosen).length === 0}>
          Pin
        </button>
      </div>
    </form>
  );
}
