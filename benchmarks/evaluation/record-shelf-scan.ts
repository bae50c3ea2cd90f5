/** Runs every combination of shelf-scan on its labelled scenes and records right and given answers of each scene. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { importModule } from '@equipoise/adapter-embedded';
import { type AnsweredSample, evaluatePipeline, evaluationModule } from '@equipoise/runtime';
import { embeddedLauncher } from '../../packages/app/src/compose/embedded-launcher.js';
import { loadSpec } from '../../packages/app/src/compose/load-spec.js';

const spec = await loadSpec(fileURLToPath(new URL('../../examples/shelf-scan/pipeline.yaml', import.meta.url)));
const module = evaluationModule(await importModule('./evaluate.ts', spec.baseDir));
const answered: (readonly AnsweredSample[])[] = [];
const scoreAll = (samples: readonly AnsweredSample[]): number => {
  if (samples !== answered.at(-1)) answered.push(samples);
  return module.score(samples);
};
const { table } = await evaluatePipeline({
  spec,
  launcher: embeddedLauncher(spec),
  module: { loadSamples: (dataDir) => module.loadSamples(dataDir), score: scoreAll },
  dataDir: fileURLToPath(new URL('../../examples/shelf-scan/data', import.meta.url)),
  clock: { nowMs: () => performance.now() },
});
const givenBy = ({ outputs }: AnsweredSample) => outputs['labels']?.data.length ?? 0;
const present = ({ label }: AnsweredSample) => (label as readonly unknown[]).length;
const scored = answered.filter((samples) => samples.length > 1);
// 200 resamples follow each score of all scenes.
const whole = scored.filter((_, index) => index % 201 === 0);
const combinations = table.combinations.map(({ variants }, index) => {
  const samples = whole[index] ?? [];
  const right = samples.map((each) => Math.round((module.score([each]) * (givenBy(each) + present(each))) / 2));
  return { variants, right: right.join(''), given: samples.map(givenBy).join('') };
});
const document = { present: (whole[0] ?? []).map(present).join(''), combinations };
writeFileSync(new URL('shelf-scan.json', import.meta.url), `${JSON.stringify(document, null, 2)}\n`);
