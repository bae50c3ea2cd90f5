/** What if: another load, SLO, budget or pins give a plan, its difference from the running plan, and its effect. */
import { batch, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { failureText } from '../api/admin-client.js';
import type { GraphStage, Plan, StagePins, WhatIfAnswer } from '../api/answers.js';
import { digits } from '../format/figures.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { refusedActions } from '../state/refused-actions.js';
import { withChoice } from '../state/stage-pins.js';
import { type AssumptionLimits, type Assumptions, assumptionLimits, planQuestion } from '../state/what-if.js';
import { ApplyPlan } from './apply-plan.js';
import { confirmAction } from './confirm-dialog.js';
import { ResultFacts } from './decision-detail.js';
import { Notice } from './notice.js';
import { EffectTable, PlanTable, VerifiedText } from './plan-table.js';

type Answer =
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'answered'; readonly answer: WhatIfAnswer };

/** A slider asks again when it rests. */
const REST_MS = 350;

export function WhatIfView({ state }: { readonly state: PipelineState }) {
  const facts = state.facts.value;
  const forecast = state.latest.value?.decision?.evidence.forecast.upperRps;
  const asked = useSignal<Assumptions | undefined>(undefined);
  const answer = useSignal<Answer>({ kind: 'none' });
  const isAsking = useSignal(false);
  // They stay while the load changes: else a slider would move under the hand.
  const limits = useSignal<AssumptionLimits | undefined>(undefined);
  if (asked.value === undefined && facts !== undefined) {
    const arrivalRps = Number(digits(Math.max(1, forecast ?? facts.arrivalRps)).replaceAll(',', ''));
    asked.value = {
      arrivalRps,
      sloLatencyMs: facts.slo.latencyMs,
      budgetCpuCores: facts.budget.cpuCores,
      pins: facts.pins,
    };
    limits.value = assumptionLimits(facts, arrivalRps);
  }
  const question = asked.value;
  useEffect(() => {
    if (question === undefined) return undefined;
    let isCurrent = true;
    const timer = setTimeout(() => {
      isAsking.value = true;
      void state.client.post<WhatIfAnswer>(state.path('/plan'), planQuestion(question)).then((result) => {
        if (!isCurrent) return;
        batch(() => {
          isAsking.value = false;
          answer.value = result.ok
            ? { kind: 'answered', answer: result.value }
            : { kind: 'failed', message: failureText(result.failure) };
        });
      });
    }, REST_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [question]);
  const ranges = limits.value;
  if (question === undefined || ranges === undefined) return <Notice kind="loading" title="Reading the pipeline" />;
  const set = (over: Partial<Assumptions>) => {
    asked.value = { ...question, ...over };
  };
  return (
    <div class="split is-open what-if">
      <section class="panel" aria-label="Assumptions">
        <div class="panel-head">
          <h2>What if</h2>
          <button
            type="button"
            class="quiet"
            onClick={() => {
              asked.value = undefined;
            }}
          >
            Reset
          </button>
        </div>
        <Slider
          name="Arrivals"
          unit="req/s"
          value={question.arrivalRps}
          {...ranges.arrivalRps}
          set={(arrivalRps) => set({ arrivalRps })}
        />
        <Slider
          name="SLO"
          unit="ms"
          value={question.sloLatencyMs}
          {...ranges.sloLatencyMs}
          set={(sloLatencyMs) => set({ sloLatencyMs })}
        />
        {question.budgetCpuCores !== undefined && (
          <Slider
            name="Budget"
            unit="cores"
            value={question.budgetCpuCores}
            {...ranges.budgetCpuCores}
            set={(budgetCpuCores) => set({ budgetCpuCores })}
          />
        )}
        <h3>Pins</h3>
        {state.graph.value?.stages.map((stage) => (
          <StagePinFields
            key={stage.stageId}
            stage={stage}
            pins={question.pins[stage.stageId] ?? {}}
            set={(pins) => set({ pins: { ...question.pins, [stage.stageId]: pins } })}
          />
        ))}
      </section>
      <section class="panel detail" aria-label="Plan" aria-busy={isAsking.value}>
        <div class="panel-head">
          <h2>Plan for these assumptions</h2>
          <span class="muted" role="status">
            {isAsking.value ? 'Planning' : ''}
          </span>
        </div>
        {answer.value.kind === 'none' && <Notice kind="loading" title="Making a plan" />}
        {answer.value.kind === 'failed' && <p class="error">{answer.value.message}</p>}
        {answer.value.kind === 'answered' && <Answered state={state} answer={answer.value.answer} />}
      </section>
    </div>
  );
}

interface SliderProps {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly set: (value: number) => void;
}

function Slider({ name, unit, value, min, max, step, set }: SliderProps) {
  const id = `assumed-${name}`;
  const change = (text: string) => {
    const entered = Number(text);
    if (Number.isFinite(entered) && entered > 0) set(entered);
  };
  return (
    <div class="slider">
      <label for={id}>
        {name} <span class="muted">({unit})</span>
      </label>
      <input
        type="number"
        min={min}
        step="any"
        aria-label={`${name} in ${unit}`}
        value={value}
        onChange={({ currentTarget }) => change(currentTarget.value)}
      />
      <input
        id={id}
        type="range"
        aria-valuetext={`${digits(value)} ${unit}`}
        {...{ min, max, step }}
        value={value}
        onInput={({ currentTarget }) => change(currentTarget.value)}
      />
    </div>
  );
}

interface StagePinFieldsProps {
  readonly stage: GraphStage;
  readonly pins: StagePins;
  readonly set: (pins: StagePins) => void;
}

function StagePinFields({ stage, pins, set }: StagePinFieldsProps) {
  return (
    <div class="pin-row">
      <span>{stage.stageId}</span>
      <select
        aria-label={`Variant of ${stage.stageId}`}
        value={pins.variantId ?? ''}
        onChange={({ currentTarget }) => set(withChoice(pins, currentTarget.value, pins.replicas))}
      >
        <option value="">any variant</option>
        {stage.variants.map(({ variantId }) => (
          <option key={variantId} value={variantId}>
            {variantId}
          </option>
        ))}
      </select>
      <input
        type="number"
        aria-label={`Replicas of ${stage.stageId}`}
        placeholder="replicas"
        min={1}
        max={stage.bounds.maxReplicas}
        value={pins.replicas ?? ''}
        onChange={({ currentTarget }) => set(withChoice(pins, pins.variantId, Number(currentTarget.value)))}
      />
    </div>
  );
}

interface AnsweredProps {
  readonly state: PipelineState;
  readonly answer: WhatIfAnswer;
}

function Answered({ state, answer: { result, changes } }: AnsweredProps) {
  const running = state.plan.value;
  const plan: Plan | undefined = result.kind === 'feasible' ? result.plan : result.bestEffort;
  return (
    <>
      <ResultFacts result={result} />
      {plan === undefined ? (
        <p class="muted">There is not even a best effort.</p>
      ) : (
        <>
          {result.kind !== 'feasible' && <p class="muted">The best effort is below. It misses the goals.</p>}
          <p>{changes.length === 0 ? 'This plan is already running.' : changesText(changes.length)}</p>
          <PlanTable before={running} after={plan} />
          <h3>Effect</h3>
          <EffectTable before={running} after={plan} />
          <VerifiedText plan={plan} />
          <PlanButtons {...{ state, plan, isNew: changes.length > 0 }} />
        </>
      )}
    </>
  );
}

const changesText = (count: number): string =>
  `${count === 1 ? 'One change' : `${count} changes`} from the running plan.`;

interface PlanButtonsProps {
  readonly state: PipelineState;
  readonly plan: Plan;
  readonly isNew: boolean;
}

function PlanButtons({ state, plan, isNew }: PlanButtonsProps) {
  const facts = state.facts.value;
  return (
    <div class="dialog-buttons">
      {facts?.mode === 'auto' && refusedActions(facts) === undefined && (
        <button
          type="button"
          disabled={state.failure.value !== undefined || facts.fixed}
          onClick={() =>
            confirmAction({
              title: 'Advise only?',
              effect: (
                <p>The loop plans and logs its decisions, but changes nothing. You can compare them with this plan.</p>
              ),
              verb: 'Set Advise',
              ...{ state, route: '/advise', body: {} },
            })
          }
        >
          Let the loop only advise
        </button>
      )}
      <ApplyPlan {...{ state, plan, isNew, body: { stages: plan.stages } }} />
    </div>
  );
}
