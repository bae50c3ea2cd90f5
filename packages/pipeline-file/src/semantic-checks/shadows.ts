/** A shadow is another variant of its stage, with cores of the budget. Options of metrics need a metric that reads them. */
import { isMalformed, type SpecDraft, type StageDraft, wellFormedEntries } from '../draft.js';
import { fieldDefaults } from '../field-defaults.js';
import type { Finding, ValuePath } from '../problem.js';
import { checkMetricOptions } from './evaluation.js';

type ShadowDraft = NonNullable<StageDraft['shadow']>;

export function* checkShadows({ stages, budget }: SpecDraft): Generator<Finding> {
  let cores = 0;
  for (const [index, stage] of wellFormedEntries(stages)) {
    const { shadow } = stage;
    if (shadow === undefined) continue;
    const path = ['spec', 'stages', index, 'shadow'];
    if (Object.hasOwn(stage, 'combine')) {
      yield { path, message: 'expected no shadow on a stage with combine, which has no variants' };
      continue;
    }
    yield* checkStage(stage, shadow, path);
    if (!isMalformed(shadow, 'metric'))
      yield* checkMetricOptions({ ...shadow, metric: shadow.metric ?? fieldDefaults.shadowMetric }, path);
    cores += shadow.cpuCores ?? Math.min(...coresOf(stage, shadow));
  }
  const most = budget?.cpuCores;
  if (most !== undefined && cores > 0 && Number.isFinite(cores) && cores >= most)
    yield {
      path: ['spec', 'budget', 'cpuCores'],
      message: `expected more than ${cores}, the cores of the shadows, so that replicas have some, found ${most}`,
    };
}

function* checkStage(stage: StageDraft, shadow: ShadowDraft, path: ValuePath): Generator<Finding> {
  if (stage.variants?.length === 1)
    yield { path, message: 'expected a stage with several variants, because a shadow compares two of them' };
  const offered = coresOf(stage, shadow);
  const { cpuCores } = shadow;
  if (cpuCores !== undefined && offered.length > 0 && !offered.includes(cpuCores))
    yield {
      path: [...path, 'cpuCores'],
      message: `expected a number of cores of the variant ${shadow.variant}: ${offered.join(', ')}, found ${cpuCores}`,
    };
}

/** Empty for an unknown variant, which is reported elsewhere. */
function coresOf({ variants }: StageDraft, { variant }: ShadowDraft): readonly number[] {
  const found = variants?.find((each) => each?.name === variant);
  if (found === undefined) return [];
  const offered = [found.resources?.cpuCores ?? fieldDefaults.cpuCores].flat();
  return offered.filter((each) => each !== undefined);
}
