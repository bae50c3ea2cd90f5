/**
 * One plan in a process of its own, started on the server's core: profiles its variants with pinned replicas, then
 * calibrates and checks. Prints the result as JSON, progress on stderr. Keeps what a whole run serves.
 */
import { launchRules } from '@equipoise/adapter-embedded/launch-rules';
import { loadPipelineFile } from '@equipoise/pipeline-file';
import { profilePipeline } from '@equipoise/runtime';
import { calibrationOf, recordPlan, scaledMethod } from '../../packages/app/src/calibrate/calibrate-plan.js';
import { uncorrectedProfiles } from '../../packages/app/src/calibrate/calibrated-plans.js';
import { LoadGenerator } from '../../packages/app/src/calibrate/load-generator.js';
import { embeddedLauncher } from '../../packages/app/src/compose/embedded-launcher.js';
import { sampleBodies } from '../../packages/app/src/compose/sample-bodies.js';
import { servedSpec } from '../../packages/app/src/compose/served-spec.js';
import { keepYoungGenerationToThisThread } from '../../packages/app/src/young-generation.js';
import { benchMethod, configurations, pipelineFiles, planOf, specOf } from './configurations.js';
import { writeRecord } from './kept-records.js';
import { machineTicks, stolenSince } from './machine-load.js';
import { pinned, pinServer } from './pinning.js';
import type { PlanResult } from './plan-result.js';

keepYoungGenerationToThisThread();
/** Shorter trials have one round and few requests. */
const ONE_ROUND = 0.1;
const [number = '0', scale = '1'] = process.argv.slice(2);
const configuration = configurations[Number(number)];
if (configuration === undefined) throw new Error(`there is no configuration ${number}`);
const file = pipelineFiles[configuration.pipeline] as string;
const loaded = await loadPipelineFile(file);
if (loaded.kind === 'invalid') throw new Error(`${file} is not valid`);
pinServer();
const spec = specOf(loaded.spec, configuration);
const computes = spec.stages.some(({ module }) => module !== undefined);
const launcher = pinned(embeddedLauncher(spec));
const clock = { nowMs: () => performance.now() };
const profile = await profilePipeline({ spec, launcher, options: { quick: true }, clock, rules: launchRules });
const profiles = uncorrectedProfiles(spec, profile.variants);
const load = new LoadGenerator();
const before = machineTicks();
const startedAtMs = performance.now();
const recorded = await recordPlan({
  spec: servedSpec(spec, profiles).answering,
  plan: planOf(spec, configuration),
  profiles,
  // All replicas that compute share one core.
  hostCores: computes ? 1 : Number.POSITIVE_INFINITY,
  launcher,
  load,
  bodies: sampleBodies(spec),
  method: scaledMethod(
    Number(scale) < ONE_ROUND ? { ...benchMethod, rounds: 1, overloadRounds: 1, fewestRequests: 5 } : benchMethod,
    Number(scale),
  ),
  seed: Number(number) + 1,
  clientSharesCore: true,
  onSegment: (label) => process.stderr.write(`  ${label}\n`),
});
load.end();
if (Number(scale) === 1) writeRecord(Number(number), recorded);
const { saturationRps, loads, corrections } = calibrationOf(recorded);
const { pipeline, name } = configuration;
const result: PlanResult = {
  pipeline,
  name,
  saturationRps,
  loads,
  corrections,
  seconds: (performance.now() - startedAtMs) / 1000,
  stolenFraction: stolenSince(before),
};
process.stdout.write(JSON.stringify(result), () => process.exit());
