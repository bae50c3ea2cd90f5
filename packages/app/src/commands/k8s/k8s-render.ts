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
  withCpuFloor,
} from '@equipoise/adapter-kubernetes';
import { AppError, bindingText, type PipelineSpec, type ProfileSet } from '@equipoise/core/model';
import { optimize, requireCurves } from '@equipoise/core/plan';
import { loadSpec } from '../../compose/load-spec.js';
import { imagesOf } from '../../compose/operator-deps.js';
import { verifierFor } from '../../compose/plan-verification.js';
import { profilesFor } from '../../compose/profiles-for.js';
import { readPlan, type SavedPlan } from '../../compose/read-plan.js';
import type { ImageFlag } from '../../terminal/flag-values.js';
import type { CommandResult } from '../../terminal/run-command.js';
import { VERSION } from '../../version.js';

export interface K8sRenderOptions {
  readonly target: RenderTarget;
  /** Arrival rate; default: the rate of `plan`, or one request per second. */
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
  const floored = engine.planningSpec(withCpuFloor(spec, profiles, leastCpuCores));
  const { stages, arrivalRps } = await plannedStages(file, { spec: floored, profiles }, options);
  const objects = engine.render({
    spec,
    profiles,
    arrivalRps,
    images,
    plan: { stages },
    hasCpuLimits: cpuLimits,
    ...(namespace !== undefined && { namespace }),
    ...(artifacts !== undefined && { artifactBase: artifacts }),
  });
  return { pipeline: spec.name, objects };
}

async function plannedStages(
  file: string,
  { spec, profiles }: { readonly spec: PipelineSpec; readonly profiles: ProfileSet },
  { plan, arrivalRps: asked }: K8sRenderOptions,
): Promise<Required<Pick<SavedPlan, 'stages' | 'arrivalRps'>>> {
  if (plan !== undefined) {
    const saved = await readPlan(plan, spec);
    return { stages: saved.stages, arrivalRps: asked ?? (saved.arrivalRps || USUAL_RPS) };
  }
  const arrivalRps = asked ?? USUAL_RPS;
  // Replicas on a cluster do not share one machine.
  const hostCores = Number.POSITIVE_INFINITY;
  const clock = { nowMs: () => performance.now() };
  const problem = { spec, profiles, arrivalRps, estimator: 'distribution', clock } as const;
  const result = optimize(problem, verifierFor(spec, profiles, { arrivalRps, hostCores }));
  if (result.kind === 'feasible') return { stages: result.plan.stages, arrivalRps };
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
