/** `equipoise k8s render`: renders a plan as cluster objects. */

import { readFile } from 'node:fs/promises';
import {
  annotationsOf,
  checkImages,
  engineFor,
  type KubeObject,
  pipelineObject,
  type RenderTarget,
  toYaml,
  usualCpuPolicy,
  withCpuPolicy,
} from '@equipoise/adapter-kubernetes';
import {
  AppError,
  bindingText,
  NO_PREDICTION,
  type PipelineSpec,
  type Plan,
  type ProfileSet,
  planOfRouter,
  routerBoundsProblems,
  usualSplit,
} from '@equipoise/core/model';
import { optimize, problemOfRouter, requireCurves, splitFor } from '@equipoise/core/plan';
import { loadSpec } from '../../compose/load-spec.js';
import { imagesOf } from '../../compose/operator-deps.js';
import { verifierFor } from '../../compose/plan-verification.js';
import { profilesFor } from '../../compose/profiles-for.js';
import { readPlan } from '../../compose/read-plan.js';
import type { ImageFlag } from '../../terminal/flag-values.js';
import type { CommandResult } from '../../terminal/run-command.js';
import { VERSION } from '../../version.js';

export interface K8sRenderOptions {
  readonly target: RenderTarget;
  /** Arrival rate to plan for without `plan`; default: one request per second. */
  readonly arrivalRps?: number;
  readonly plan?: string;
  readonly namespace?: string;
  readonly image?: readonly ImageFlag[];
  readonly artifacts?: string;
  readonly profileScale?: number;
  /** Least cores of stages with code; absent with `plan`. */
  readonly leastCpuCores?: number;
  /** False with `--no-cpu-limits`. */
  readonly cpuLimits?: boolean;
}

const USUAL_RPS = 1;

/** Renders a plan; with `--json` as one `List` that `kubectl` accepts. */
export async function k8sRender(file: string, options: K8sRenderOptions): Promise<CommandResult> {
  const { objects } = await renderedFile(file, options);
  return { json: { apiVersion: 'v1', kind: 'List', items: objects }, text: toYaml(objects) };
}

export async function renderedFile(
  file: string,
  options: K8sRenderOptions,
): Promise<{ readonly pipeline: string; readonly objects: readonly KubeObject[] }> {
  const { target, namespace, artifacts, cpuLimits = true } = options;
  const spec = await loadSpec(file);
  const images = imagesOf(options.image ?? [], `equipoise:${VERSION}`);
  checkImages(images, spec);
  const profiles = profilesFor(spec, file, options.profileScale);
  const { leastCpuCores = usualCpuPolicy.leastCpuCores } = options;
  const engine = engineFor(target);
  const floored = engine.planningSpec(withCpuPolicy(spec, profiles, { leastCpuCores, hasCpuLimits: cpuLimits }));
  const { stages, routers } = await plannedStages(file, { spec: floored, profiles }, options);
  const objects = engine.render({
    spec,
    profiles,
    images,
    plan: { stages },
    ...(routers > 1 && { routers }),
    hasCpuLimits: cpuLimits,
    ...(namespace !== undefined && { namespace }),
    ...(artifacts !== undefined && { artifactBase: artifacts }),
  });
  return { pipeline: spec.name, objects };
}

interface RoutersPlan {
  /** Of one router. */
  readonly stages: Plan['stages'];
  readonly routers: number;
}

async function plannedStages(
  file: string,
  { spec, profiles }: { readonly spec: PipelineSpec; readonly profiles: ProfileSet },
  { plan, arrivalRps = USUAL_RPS }: K8sRenderOptions,
): Promise<RoutersPlan> {
  if (plan !== undefined) {
    const { stages, routers = 1 } = await readPlan(plan, spec);
    return { stages: planOfRouter({ stages, predicted: NO_PREDICTION }, usualSplit(routers)).stages, routers };
  }
  const split = splitFor(spec, { arrivalRps });
  const [mismatch] = routerBoundsProblems(spec, split.count);
  if (mismatch !== undefined) throw new AppError('WRONG_USAGE', `${mismatch.message}.`);
  // Replicas on a cluster do not share one machine.
  const hostCores = Number.POSITIVE_INFINITY;
  const clock = { nowMs: () => performance.now() };
  const problem = problemOfRouter({ spec, profiles, arrivalRps, estimator: 'distribution', clock }, split);
  const result = optimize(problem, verifierFor(problem.spec, profiles, { arrivalRps: problem.arrivalRps, hostCores }));
  if (result.kind === 'feasible') return { stages: result.plan.stages, routers: split.count };
  throw new AppError(
    'INFEASIBLE',
    `No plan meets the SLO at ${arrivalRps} requests per second: ${bindingText(result.bindingConstraint)}. \`equipoise plan ${file} --arrival-rps ${arrivalRps}\` says what would help.`,
    { details: { result } },
  );
}

interface K8sPipelineOptions {
  readonly namespace?: string;
  readonly arrivalRps?: number;
  readonly image?: readonly ImageFlag[];
  readonly profileScale?: number;
}

/**
 * `equipoise k8s pipeline`: a pipeline file with its measured profiles, as a custom resource. Throws PROFILE_MISSING.
 */
export async function k8sPipeline(file: string, options: K8sPipelineOptions): Promise<CommandResult> {
  const { namespace, arrivalRps, image = [], profileScale } = options;
  const spec = await loadSpec(file);
  const profiles = profilesFor(spec, file, profileScale);
  requireCurves(spec, profiles);
  checkImages(imagesOf(image, ''), spec);
  const images = image.map(({ image: name, of }) => (of === undefined ? name : `${of}=${name}`));
  const { object, text } = pipelineObject(
    await readFile(file, 'utf8'),
    { spec, profiles },
    { annotations: annotationsOf(arrivalRps, images), ...(namespace !== undefined && { namespace }) },
  );
  return { json: object, text };
}
