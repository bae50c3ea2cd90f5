/** Report of an evaluation: accuracies of the combinations of variants with intervals. */
import { type PipelineSpec, quorumsOf, type StageId, thresholdChoices, variantBehind } from '@equipoise/core/model';
import type { Evaluation } from '@equipoise/runtime';
import { counted } from '../terminal/counted.js';
import { fractionText } from '../terminal/plan-table.js';
import { type Fact, htmlTable } from './page/html.js';
import type { PageSection, ReportPage } from './page/html-page.js';
import type { PlotLayer, PlotSpec } from './plot/plot-spec.js';

/** A combination with its name, measured or computed from others. */
interface Row {
  readonly name: string;
  readonly accuracy: number;
  readonly low: number;
  readonly high: number;
  readonly samples: number | undefined;
  readonly status: 'measured' | 'dropped' | 'undecided' | 'computed';
}

/** Combinations in the plot: the most accurate ones. */
const MOST_BANDS = 40;

export function evaluationPage(spec: PipelineSpec, evaluation: Evaluation): ReportPage {
  const rows = rowsOf(spec, evaluation);
  const shown = rows.slice(0, MOST_BANDS);
  const more = rows.length > shown.length ? `The ${MOST_BANDS} most accurate of ${rows.length}. ` : '';
  return {
    kind: 'Evaluation',
    title: `Evaluation of ${spec.name}`,
    lead: 'End-to-end accuracy of combinations of variants on labelled samples, with 95 % intervals.',
    facts: factsOf(rows, evaluation),
    sections: [
      {
        title: 'Accuracy of the combinations',
        text: `${more}Combinations with overlapping intervals may be equally accurate.`,
        blocks: [{ plots: [accuracyPlot(shown)] }, tableOf(rows)],
      },
      ...shareSection(evaluation),
      ...errorSection(evaluation),
    ],
  };
}

/** Stages in which combinations differ; all if none has a choice. */
export function chosenStages(spec: PipelineSpec): readonly StageId[] {
  const chosen = spec.stages.filter(
    ({ id, variants, optional }) =>
      optional || variants.length > 1 || thresholdChoices(spec, id).length > 0 || quorumsOf(spec, id).length > 0,
  );
  return (chosen.length > 0 ? chosen : spec.stages).map(({ id }) => id);
}

function rowsOf(spec: PipelineSpec, { table, computed }: Evaluation): readonly Row[] {
  const ids = chosenStages(spec);
  const nameOf = (variants: Readonly<Record<string, string>>) => ids.map((id) => variants[id] ?? '–').join(' · ');
  const measured = table.combinations.map(
    ({ variants, accuracy, confidence95: [low, high], samples, verdict }): Row => ({
      ...{ name: nameOf(variants), accuracy, low, high, samples },
      status: verdict === 'dropped' || verdict === 'undecided' ? verdict : 'measured',
    }),
  );
  const others = (computed?.combinations ?? []).map(
    ({ variants, accuracy, confidence95: [low, high] }): Row => ({
      ...{ name: nameOf(variants), accuracy, low, high, samples: undefined, status: 'computed' },
    }),
  );
  return [...measured, ...others].sort((a, b) => b.accuracy - a.accuracy);
}

function factsOf(rows: readonly Row[], { table, stageRuns, leftOut }: Evaluation): readonly Fact[] {
  const [best] = rows;
  const samples = Math.max(0, ...table.combinations.map((combination) => combination.samples));
  return [
    ...(best === undefined ? [] : [{ label: 'Most accurate', value: fractionText(best.accuracy), note: best.name }]),
    { label: 'Combinations measured', value: String(table.combinations.length) },
    { label: 'Samples', value: String(samples), note: counted(stageRuns, 'stage run') },
    ...(leftOut === undefined
      ? []
      : [{ label: 'Left out', value: String(leftOut.combinations), note: leftOut.reason }]),
  ];
}

const MARKS = {
  measured: { color: 'c1', shape: 'disc' },
  undecided: { color: 'c2', shape: 'diamond' },
  dropped: { color: 'c3', shape: 'square' },
  computed: { color: 'c5', shape: 'ring' },
} as const;

function accuracyPlot(rows: readonly Row[]): PlotSpec {
  const layers = (Object.keys(MARKS) as Row['status'][]).flatMap((status): readonly PlotLayer[] => {
    const own = rows.flatMap((row, y) => (row.status === status ? [{ row, y }] : []));
    const { color, shape } = MARKS[status];
    const tipOf = ({ name, accuracy, low, high, samples }: Row) =>
      `${name}\naccuracy\t${fractionText(accuracy)}\n95 % interval\t${fractionText(low)}–${fractionText(high)}${samples === undefined ? '' : `\nsamples\t${samples}`}`;
    return own.length === 0
      ? []
      : [
          { kind: 'segments', color, segments: own.map(({ row: { low, high }, y }) => [low, y, high, y] as const) },
          {
            ...{ kind: 'points', name: status, color, shape },
            points: own.map(({ row, y }) => ({ x: row.accuracy, y, tip: tipOf(row) })),
          },
        ];
  });
  return {
    ...{ title: 'Accuracy of the combinations', isWide: true },
    ...{ x: { label: 'accuracy', isLoose: true }, y: { bands: rows.map(({ name }) => name) }, layers },
  };
}

const tableOf = (rows: readonly Row[]): string =>
  htmlTable(
    'Combinations',
    ['combination', 'accuracy', '95 % interval', 'samples', 'status'],
    rows.map(({ name, accuracy, low, high, samples, status }) => [
      name,
      fractionText(accuracy),
      `${fractionText(low)} to ${fractionText(high)}`,
      samples === undefined ? '–' : String(samples),
      status,
    ]),
  );

function shareSection({ table: { shares = [] } }: Evaluation): readonly PageSection[] {
  if (shares.length === 0) return [];
  const rows = shares.map(({ from, variant, upstream, to, probability, expected, outputs }) => [
    `${from} (${variantBehind(variant, upstream)}) → ${to}`,
    probability === undefined ? '–' : fractionText(probability),
    expected === undefined ? '–' : String(Number(expected.toFixed(2))),
    String(outputs),
  ]);
  const head = ['edge', 'taken', 'items', 'outputs'];
  return [{ title: 'Shares of the edges', blocks: [htmlTable('Shares of the edges', head, rows)] }];
}

function errorSection({ computed }: Evaluation): readonly PageSection[] {
  if (computed === undefined) return [];
  const { modelError, productError } = computed;
  const rows = [
    ['computed from the other combinations', modelError],
    ['product of the accuracies of the stages', productError],
  ].flatMap(([name, error]) => (typeof error === 'number' ? [[String(name), fractionText(error)]] : []));
  const text = 'Root mean square errors for the measured combinations.';
  const title = 'Errors of accuracies that were not measured';
  return rows.length === 0 ? [] : [{ title, text, blocks: [htmlTable(title, ['accuracy', 'error'], rows)] }];
}
