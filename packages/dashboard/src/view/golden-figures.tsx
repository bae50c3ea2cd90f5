/** The figures that say at a glance whether the pipeline is well. */
import {
  accuracyFigure,
  coresFigure,
  costFigure,
  digits,
  durationText,
  latencyFigure,
  percentFigure,
  rateFigure,
  text,
} from '../format/figures.js';
import { type ErrorBudget, errorBudget, indexAt } from '../state/history.js';
import type { PipelineState } from '../state/pipeline-state.js';
import { type Level, Tile } from './figure.js';

/** Percentile of the latencies in a point of the history. */
const POINT_PERCENTILE = 99;

const levelOf = (used: number | undefined): Level =>
  used === undefined || Number.isNaN(used) ? 'none' : used > 1 ? 'bad' : used > 0.9 ? 'warn' : 'ok';

export function GoldenFigures({ state }: { readonly state: PipelineState }) {
  return (
    <dl class="tiles" aria-label="Golden figures">
      <Arrivals state={state} />
      <Latency state={state} />
      <Attainment state={state} />
      <Accuracy state={state} />
      <Cost state={state} />
      <Cores state={state} />
    </dl>
  );
}

function Arrivals({ state }: { readonly state: PipelineState }) {
  const point = state.replayed.value;
  const forecast = state.latest.value?.decision?.evidence.forecast;
  const rps = point?.arrivalRps ?? state.facts.value?.arrivalRps;
  const [mean, upper] = point ? [point.forecastRps, point.forecastUpperRps] : [forecast?.meanRps, forecast?.upperRps];
  return (
    <Tile name="Arrivals" figure={rateFigure(rps)}>
      {mean === undefined ? 'no forecast yet' : `forecast ${digits(mean)}, up to ${digits(upper ?? mean)}`}
    </Tile>
  );
}

function Latency({ state }: { readonly state: PipelineState }) {
  const point = state.replayed.value;
  const { latencyMs: sloMs = 0, percentile = 99 } = state.facts.value?.slo ?? {};
  const slo = `SLO ${text(latencyFigure(sloMs))}`;
  if (point !== undefined && percentile !== POINT_PERCENTILE) {
    // A point does not have the percentile of the SLO, so it is not compared with the SLO.
    return (
      <Tile name={`Latency p${POINT_PERCENTILE}`} figure={latencyFigure(point.p99Ms)}>
        {slo} at p{percentile}
      </Tile>
    );
  }
  const ms = point ? (point.p99Ms ?? undefined) : state.counts.value?.latencyMs?.atPercentile;
  const used = ms === undefined ? undefined : ms / sloMs;
  return (
    <Tile name={`Latency p${percentile}`} figure={latencyFigure(ms)} level={levelOf(used)} used={used ?? 0}>
      {slo}
    </Tile>
  );
}

function Attainment({ state }: { readonly state: PipelineState }) {
  const percentile = state.facts.value?.slo.percentile ?? 99;
  const points = state.history.value;
  const at = state.replayAt.value;
  const { arrived = 0, withinSlo = 0 } = state.facts.value?.requests ?? {};
  if (points.length === 0 || (at === undefined && state.historyFailure.value !== undefined)) {
    const fraction = arrived > 0 ? withinSlo / arrived : undefined;
    return (
      <Tile name="Within SLO" figure={percentFigure(fraction, 2)}>
        since the start, goal {percentile} %
      </Tile>
    );
  }
  const last = at === undefined ? points.length - 1 : indexAt(points, at);
  const budget = errorBudget({ points, totals: state.missTotals.value, percentile }, last);
  const { attainment, left } = budget;
  return (
    <Tile
      name="Within SLO, last hour"
      figure={percentFigure(attainment, 2)}
      level={levelOfBudget(budget)}
      used={Math.max(0, left)}
    >
      {budgetText(budget)}
    </Tile>
  );
}

const levelOfBudget = ({ attainment, left, burnRate }: ErrorBudget): Level =>
  left < 0 ? 'bad' : (burnRate ?? 0) > 1 ? 'warn' : attainment === undefined ? 'none' : 'ok';

function budgetText({ left, burnRate, emptyInMs }: ErrorBudget): string {
  const budget = left < 0 ? `budget overspent ${digits(1 - left)}×` : `${Math.round(100 * left)} % of budget left`;
  const burn = burnRate === undefined ? '' : `, burn rate ${digits(burnRate)}`;
  return `${budget}${burn}${emptyInMs === undefined ? '' : `, empty in ${durationText(emptyInMs)}`}`;
}

function Accuracy({ state }: { readonly state: PipelineState }) {
  const point = state.replayed.value;
  const pas = point ? point.accuracy : (state.newest.value?.accuracy ?? state.plan.value?.predicted.pas);
  const objective = state.facts.value?.objective;
  return (
    <Tile name="Accuracy" figure={accuracyFigure(pas)}>
      {objective?.kind === 'min-cost' ? `floor ${digits(objective.accuracyFloor)}` : 'of the running plan'}
    </Tile>
  );
}

function Cost({ state }: { readonly state: PipelineState }) {
  const point = state.replayed.value;
  const cost = point ? point.cost : (state.newest.value?.cost ?? state.plan.value?.predicted.costPerHour);
  const most = state.facts.value?.budget.costPerHour;
  const used = cost === undefined || most === undefined ? undefined : cost / most;
  return (
    <Tile
      name="Cost"
      figure={costFigure(cost)}
      level={used === undefined ? 'none' : used > 1 ? 'bad' : 'ok'}
      used={used}
    >
      {most === undefined ? 'no cost budget' : `budget ${most.toFixed(2)}`}
    </Tile>
  );
}

function Cores({ state }: { readonly state: PipelineState }) {
  const past = state.replayed.value;
  const point = past ?? state.newest.value;
  const replicas = Object.values(state.running.value?.stages ?? {}).flatMap((stage) => stage.replicas);
  const running = replicas.reduce((sum, { resources }) => sum + resources.cpuCores, 0);
  // The replicas of now say nothing about a past moment.
  const planned = point?.cpuCores.planned ?? (past === undefined ? running : undefined);
  const most = state.facts.value?.budget.cpuCores;
  const used = point?.cpuCores.used;
  const ofBudget = most === undefined || planned === undefined ? undefined : planned / most;
  return (
    <Tile
      name="CPU"
      figure={coresFigure(planned)}
      level={ofBudget !== undefined && ofBudget > 1.001 ? 'warn' : 'none'}
      used={ofBudget}
    >
      {used === undefined ? 'planned' : `planned, ${digits(used)} used`}
      {most === undefined ? '' : `, budget ${digits(most)}`}
    </Tile>
  );
}
