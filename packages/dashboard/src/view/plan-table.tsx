/** A plan as a table, with the values that differ from another plan. */

import type { Plan } from '../api/answers.js';
import {
  accuracyFigure,
  coresFigure,
  costFigure,
  digits,
  type Figure,
  latencyFigure,
  rateFigure,
  text,
} from '../format/figures.js';
import { planDiff, type StageChoice } from '../state/plan-diff.js';
import { Scroll } from './scroll.js';

export interface PlanTableProps {
  readonly before: Pick<Plan, 'stages'> | undefined;
  readonly after: Pick<Plan, 'stages'>;
}

const COLUMNS = [
  { field: 'variantId', name: 'Variant' },
  { field: 'replicas', name: 'Replicas' },
  { field: 'cpuCores', name: 'Cores each' },
  { field: 'maxBatchSize', name: 'Batch' },
  { field: 'threshold', name: 'Threshold' },
  { field: 'quorum', name: 'Quorum' },
] as const;

type Field = (typeof COLUMNS)[number]['field'];

function shown(choice: StageChoice | undefined, field: Field): string {
  const value = choice?.[field];
  if (value === undefined) return choice === undefined ? '' : '–';
  return typeof value === 'number' ? digits(value) : value;
}

export function PlanTable({ before, after }: PlanTableProps) {
  const rows = planDiff(before, after);
  const columns = COLUMNS.filter(({ field }) =>
    rows.some(({ before: was, after: is }) => (was?.[field] ?? is?.[field]) !== undefined),
  );
  return (
    <Scroll name="Stages of the plan">
      <table class="plan">
        <thead>
          <tr>
            <th>Stage</th>
            {columns.map(({ field, name }) => (
              <th key={field} class={field === 'variantId' ? '' : 'number'}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ stageId, before: was, after: is, changed }) => (
            <tr key={stageId} class={changed.length > 0 ? 'is-changed' : ''}>
              <th scope="row">{stageId}</th>
              {columns.map(({ field }) => (
                <Cell key={field} {...{ was, is, field, isChanged: changed.includes(field) }} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

interface CellProps {
  readonly was: StageChoice | undefined;
  readonly is: StageChoice | undefined;
  readonly field: Field;
  readonly isChanged: boolean;
}

function Cell({ was, is, field, isChanged }: CellProps) {
  return (
    <td class={field === 'variantId' ? '' : 'number'}>
      {isChanged && was !== undefined && <del>{shown(was, field)}</del>}
      {isChanged && <span aria-hidden="true"> → </span>}
      {isChanged ? <ins>{shown(is, field)}</ins> : shown(is, field)}
    </td>
  );
}

export interface EffectTableProps {
  readonly before: Plan | undefined;
  readonly after: Plan;
}

/** Predicted effect of a plan, next to that of the running plan. */
export function EffectTable({ before, after }: EffectTableProps) {
  const rows: readonly {
    readonly name: string;
    readonly of: (plan: Plan) => Figure;
    readonly isBetterLower: boolean;
    readonly by: (plan: Plan) => number;
  }[] = [
    {
      name: `Latency p${after.predicted.percentile}`,
      of: ({ predicted, verified }) => latencyFigure((verified ?? predicted).latencyMs),
      isBetterLower: true,
      by: ({ predicted, verified }) => (verified ?? predicted).latencyMs ?? Number.POSITIVE_INFINITY,
    },
    {
      name: 'Accuracy',
      of: ({ predicted }) => accuracyFigure(predicted.pas),
      isBetterLower: false,
      by: ({ predicted }) => predicted.pas,
    },
    {
      name: 'Capacity',
      of: ({ predicted }) => rateFigure(predicted.capacityRps),
      isBetterLower: false,
      by: ({ predicted }) => predicted.capacityRps,
    },
    {
      name: 'CPU',
      of: ({ predicted }) => coresFigure(predicted.cpuCores),
      isBetterLower: true,
      by: ({ predicted }) => predicted.cpuCores,
    },
    {
      name: 'Cost',
      of: ({ predicted }) => costFigure(predicted.costPerHour),
      isBetterLower: true,
      by: ({ predicted }) => predicted.costPerHour,
    },
  ];
  return (
    <Scroll name="Predicted effect">
      <table class="effect-table">
        <thead>
          <tr>
            <th>Predicted</th>
            {before !== undefined && <th class="number">Running plan</th>}
            <th class="number">This plan</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, of, by, isBetterLower }) => {
            const difference = before === undefined ? 0 : by(after) - by(before);
            const isSmall = before === undefined || Math.abs(difference) < 1e-9 + 0.002 * Math.abs(by(before));
            const level = isSmall ? '' : difference < 0 === isBetterLower ? 'is-ok' : 'is-warn';
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                {before !== undefined && <td class="number">{text(of(before))}</td>}
                <td class={`number ${level}`}>{text(of(after))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

export function VerifiedText({ plan: { verified } }: { readonly plan: Plan }) {
  if (verified === undefined) return <p class="muted">Estimated, not simulated.</p>;
  const { sloAttainmentFraction, conclusive, seeds } = verified;
  return (
    <p class="muted">
      <span class={conclusive ? 'mark is-ok' : 'mark is-warn'} aria-hidden="true" />
      {conclusive ? 'Verified by simulation' : 'Simulated, without a clear result'}:{' '}
      {(100 * sloAttainmentFraction).toFixed(2)} % within the SLO{seeds.length > 1 ? `, ${seeds.length} seeds` : ''}.
    </p>
  );
}
