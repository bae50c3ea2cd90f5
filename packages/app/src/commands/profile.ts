/** `equipoise profile`: measures and caches service times of all variants. */
import { AppError, stageId } from '@equipoise/core/model';
import type { PipelineProfile } from '@equipoise/runtime';
import { ProfileCache } from '@equipoise/runtime/profiles';
import pc from 'picocolors';
import { loadSpec } from '../compose/load-spec.js';
import { measureProfile } from '../compose/measure-profile.js';
import { outputFile } from '../report/output-file.js';
import { htmlPage } from '../report/page/html-page.js';
import { profilePage } from '../report/profile-page.js';
import { counted } from '../terminal/counted.js';
import { coresText, doubtText, msText } from '../terminal/plan-table.js';
import { reportError } from '../terminal/report-error.js';
import type { CommandResult } from '../terminal/run-command.js';
import { interrupted } from '../terminal/stop-signal.js';
import { textTable } from '../terminal/text-table.js';

export interface ProfileOptions {
  readonly quick?: boolean;
  readonly stage?: string;
  readonly out?: string;
  readonly force?: boolean;
  readonly report?: string;
  readonly json?: boolean;
}

/** Measures profiles, except fresh cached ones. */
export async function profile(file: string, options: ProfileOptions): Promise<CommandResult> {
  const spec = await loadSpec(file);
  if (options.stage !== undefined && !spec.stages.some(({ id }) => id === options.stage)) {
    const names = spec.stages.map(({ id }) => id).join(', ');
    throw new AppError('NOT_FOUND', `The pipeline has no stage ${options.stage}; it has ${names}.`);
  }
  const output = options.out === undefined ? undefined : await outputFile(options.out);
  const report = options.report === undefined ? undefined : await outputFile(options.report);
  const { path } = ProfileCache.of(spec);
  const startedAtEpochMs = Date.now();
  const measured = await measureProfile(spec, {
    quick: options.quick === true,
    renew: options.force === true,
    onInterrupt: () => reportError(interrupted(pointsKept(path)), options.json === true),
    ...(options.stage !== undefined && { stageId: stageId(options.stage) }),
  });
  await output?.write(measured);
  await report?.writeText(htmlPage(profilePage(spec.name, measured)));
  const age = ageText(measured, startedAtEpochMs, options.stage);
  const kept = measured.variants.length === 0 ? [] : [...age, pc.dim(`saved in ${path}`)];
  return { json: measured, text: [profileTable(measured), ...kept].join('\n') };
}

const pointsKept = (path: string): string =>
  `Measured points are saved in ${path}; plans do not use an incomplete profile.`;

/** Empty if everything was measured now. Profiles of other stages than `stage` were not checked and may be stale. */
export function ageText(
  { variants: all }: Pick<PipelineProfile, 'variants'>,
  startedAtEpochMs: number,
  stage?: string,
): readonly string[] {
  const variants = all.filter(({ stageId: id }) => stage === undefined || id === stage);
  const before = variants.map((variant) => variant.measuredAtEpochMs).filter((atMs) => atMs < startedAtEpochMs);
  if (before.length === 0) return [];
  const [first, last] = [Math.min(...before), Math.max(...before)].map((atMs) =>
    new Date(atMs).toISOString().slice(0, 16),
  );
  const when = `${first?.replace('T', ' ')}${first === last ? '' : ` to ${last?.replace('T', ' ')}`} UTC`;
  const which =
    before.length === variants.length
      ? 'nothing was measured again'
      : `${before.length} of ${counted(variants.length, 'variant')} not measured again`;
  return [`${which}: the profile of ${when} still holds; --force measures again`];
}

export function profileTable(profile: PipelineProfile): string {
  const { variants, notMeasured } = profile;
  const rows = variants.flatMap(({ stageId: id, variantId, points, loadMs }) =>
    points.map(({ cpuCores, batchSize, meanMs, p99Ms, throughputRps }, index) => {
      const load = index === 0 ? msText(loadMs) : '';
      return [id, variantId, cpuCores, batchSize, msText(meanMs), msText(p99Ms), throughputRps.toFixed(1), load];
    }),
  );
  const figures = ['cores', 'batch', 'mean', 'p99', 'items/s', 'load'].map((right) => ({ right }));
  const table = rows.length === 0 ? 'nothing to measure' : textTable(['stage', 'variant', ...figures], rows);
  const skipped = variants.flatMap(({ stageId: id, variantId, skipped: points }) =>
    points.map(
      ({ cpuCores, batchSize, reason }) =>
        `${id}/${variantId} ${coresText(cpuCores)}, batch ${batchSize}: skipped, ${reason}`,
    ),
  );
  const inline = notMeasured.map(({ stageId: id, variantId, reason }) => `${id}/${variantId}: not measured, ${reason}`);
  const doubt = doubtText(variants);
  const advice = 'was the machine busy with something else? --force measures again, without --quick for longer';
  const doubts = doubt === undefined ? [] : [pc.yellow(`${doubt}: ${advice}`)];
  return [table, ...doubts, ...[...skipped, ...inline].map((line) => pc.dim(line))].join('\n');
}
