/**
 * Profiles a pipeline stage by stage on real inputs: samples that passed the most accurate variant of each earlier
 * stage. A stage that few samples reach gets more (see `drawInputs`). Valid cached profiles are reused. Each point is saved at once, so an interrupted run continues. Expects an
 * otherwise idle machine and event loop.
 */

import { type ServingGraph, servingGraph } from '@equipoise/core/graph';
import {
  AppError,
  type Clock,
  type PipelineSpec,
  type StageId,
  type StageSpec,
  type TensorMap,
  type VariantSpec,
} from '@equipoise/core/model';
import { monotoneFit } from '@equipoise/core/plan';
import type { ModelRunner, ReplicaLauncher } from '@equipoise/core/ports';
import { copyTensors } from '../data-plane/payload-algebra.js';
import { ProgressMeter, type WorkProgress } from '../progress-meter.js';
import type { NeighbourLoad } from './busy-neighbours.js';
import { drawInputs, FEWEST_INPUTS } from './draw-inputs.js';
import { flowCores, flowVariant, stagesBefore } from './flow.js';
import { type MachineFingerprint, machineFingerprint } from './machine-fingerprint.js';
import { pointLimits } from './measure-point.js';
import { type MeasuredVariant, measureVariant } from './measure-variant.js';
import type { CurveFit, PipelineProfile, ProfileDepth, UnfinishedProfile, VariantProfile } from './measured-profile.js';
import { loadPipelineSamples, type PipelineSample } from './pipeline-samples.js';
import type { ProfileCache } from './profile-cache.js';
import { profileGrid, type VariantGrid } from './profile-grid.js';
import { identityDifferences, type LaunchRules, ProfileIdentities } from './profile-identity.js';
import { variantVerdicts } from './profile-verdict.js';
import { type CapturedInputs, SampleWalk } from './sample-walk.js';

export interface ProfileRequest {
  readonly spec: PipelineSpec;
  readonly launcher: ReplicaLauncher;
  readonly options: { readonly quick: boolean; readonly stageId?: StageId; readonly renew?: boolean };
  readonly clock: Clock;
  readonly rules: LaunchRules;
  /** Default: the samples folder, read if any variant is measurable. */
  readonly samples?: readonly PipelineSample[] | undefined;
  readonly cache?: ProfileCache;
  readonly machine?: MachineFingerprint;
  /** Keeps the free cores busy. Default: they stay idle. */
  readonly neighbours?: NeighbourLoad;
  readonly residentBytes?: () => number;
  readonly nowEpochMs?: () => number;
  readonly onProgress?: (progress: WorkProgress) => void;
}

/** Measures the variants without a fresh profile (`renew`: all); rejects if one does not start or run. */
export async function profilePipeline(request: ProfileRequest): Promise<PipelineProfile> {
  return new PipelineProfiler(request).run();
}

class PipelineProfiler {
  readonly #request: ProfileRequest;
  readonly #spec: PipelineSpec;
  readonly #samples: readonly PipelineSample[];
  readonly #machine: MachineFingerprint;
  readonly #graph: ServingGraph;
  readonly #depth: ProfileDepth;
  readonly #identities: ProfileIdentities;
  readonly #grid: ReturnType<typeof profileGrid>;
  readonly #known = new Map<string, VariantProfile>();
  readonly #unfinished = new Map<string, UnfinishedProfile>();
  readonly #wanted: readonly VariantGrid[];
  readonly #progress: ProgressMeter;

  constructor(request: ProfileRequest) {
    const { spec, clock } = request;
    this.#request = request;
    this.#spec = spec;
    this.#machine = request.machine ?? machineFingerprint(spec.baseDir);
    this.#graph = servingGraph(spec);
    this.#depth = request.options.quick ? 'quick' : 'full';
    this.#grid = profileGrid(spec, this.#machine.coresAvailable);
    this.#samples = request.samples ?? (this.#grid.variants.length === 0 ? [] : loadPipelineSamples(spec).samples);
    this.#identities = new ProfileIdentities(spec, {
      graph: this.#graph,
      machine: this.#machine,
      samples: this.#samples,
      rules: request.rules,
    });
    this.#wanted = this.#takeCachedProfiles();
    this.#progress = new ProgressMeter(clock, {
      totalUnits: this.#wanted.reduce((sum, entry) => sum + unitsOf(entry), 0),
      expectedUnitMs: pointLimits[this.#depth].maxMs,
      listener: request.onProgress ?? (() => {}),
    });
  }

  async run(): Promise<PipelineProfile> {
    try {
      if (this.#wanted.length > 0) await this.#measureAlongTheGraph();
    } finally {
      await this.#request.neighbours?.keepBusy(0);
    }
    return {
      machine: this.#machine,
      variants: this.#grid.variants.flatMap((entry) => this.#known.get(keyOf(entry)) ?? []),
      notMeasured: this.#grid.notMeasured,
    };
  }

  /** Returns the grids left to measure. */
  #takeCachedProfiles(): readonly VariantGrid[] {
    const { cache, options } = this.#request;
    const { variants: kept = [], unfinished = [] } = cache?.read() ?? {};
    for (const profile of unfinished) this.#unfinished.set(nameOf(profile), profile);
    const { latencyMs: sloLatencyMs } = this.#spec.slo;
    const verdicts = variantVerdicts({
      grid: this.#grid,
      identities: this.#identities,
      kept,
      sloLatencyMs,
      depth: this.#depth,
    });
    for (const verdict of verdicts)
      if (verdict.kind !== 'missing') this.#known.set(keyOf(verdict.grid), verdict.profile);
    return verdicts
      .filter(({ kind }) => kind !== 'fresh' || options.renew === true)
      .map(({ grid }) => grid)
      .filter(({ stage }) => options.stageId === undefined || stage.id === options.stageId);
  }

  async #measureAlongTheGraph(): Promise<void> {
    const walk = new SampleWalk(
      this.#graph,
      this.#samples.map(({ inputs }) => inputs),
    );
    const feeding = new Set(
      this.#wanted.flatMap(({ stage }) => stagesBefore(this.#graph, this.#spec.stages.indexOf(stage))),
    );
    for (const index of this.#graph.topologicalOrder) {
      const stage = this.#spec.stages[index];
      if (stage === undefined) continue;
      const wanted = this.#wanted.filter((entry) => entry.stage === stage);
      if (wanted.length === 0 && !feeding.has(index)) continue;
      const own = walk.inputsOf(index);
      const inputs = wanted.length > 0 && own.length < FEWEST_INPUTS ? await this.#drawInputs(index, own) : own;
      const outputs = await this.#measureStage({ stage, wanted, inputs, own, feeds: feeding.has(index) });
      if (outputs !== undefined) walk.leave(index, outputs);
    }
  }

  async #drawInputs(index: number, found: CapturedInputs): Promise<CapturedInputs> {
    const stage = this.#spec.stages[index] as StageSpec;
    const all = this.#request.samples ?? loadPipelineSamples(this.#spec, MOST_SAMPLES).samples;
    if (found.length > 0 && all.length <= this.#samples.length) return found;
    this.#progress.begin(`drawing samples that reach ${stage.id}`);
    const drawn = await drawInputs({
      spec: this.#spec,
      graph: this.#graph,
      stage: index,
      used: this.#samples.map(({ inputs }) => inputs),
      more: all.slice(this.#samples.length).map(({ inputs }) => inputs),
      found,
      launch: (before, variant) => this.#launch(before, variant),
      run: runEach,
    });
    if (drawn.length === 0) throw noInputs(stage, all.length);
    return drawn;
  }

  /** Returns the outputs for the stage's `own` inputs if a later stage needs them. */
  async #measureStage(job: {
    readonly stage: StageSpec;
    readonly wanted: readonly VariantGrid[];
    readonly inputs: CapturedInputs;
    readonly own: CapturedInputs;
    readonly feeds: boolean;
  }): Promise<readonly TensorMap[] | undefined> {
    const { stage, wanted, inputs, own, feeds } = job;
    const feeder = flowVariant(stage);
    let outputs: readonly TensorMap[] | undefined;
    for (const entry of wanted) {
      const capture = async (runner: ModelRunner) => {
        if (feeds && entry.variant === feeder) outputs = await runEach(runner, stage, own);
      };
      await this.#measureOne(entry, inputs, capture);
    }
    if (feeds && outputs === undefined) outputs = own.length === 0 ? [] : await this.#feed(stage, own);
    return outputs;
  }

  async #measureOne(
    entry: VariantGrid,
    inputs: CapturedInputs,
    afterMeasuring: (runner: ModelRunner) => Promise<void>,
  ): Promise<void> {
    const {
      launcher,
      clock,
      cache,
      neighbours,
      residentBytes = () => process.memoryUsage.rss(),
      nowEpochMs,
    } = this.#request;
    const about = {
      stageId: entry.stage.id,
      variantId: entry.variant.id,
      depth: this.#depth,
      identity: this.#identities.of(entry.stage, entry.variant),
    };
    const measured = await measureVariant({
      grid: entry,
      inputs,
      baseDir: this.#spec.baseDir,
      sloLatencyMs: this.#spec.slo.latencyMs,
      limits: pointLimits[this.#depth],
      launcher,
      clock,
      neighbours,
      coresAvailable: this.#machine.coresAvailable,
      residentBytes,
      progress: this.#progress,
      known: this.#measuredBefore(about),
      keep: (soFar) => {
        this.#unfinished.set(keyOf(entry), { ...about, ...soFar });
        cache?.write([...this.#known.values()], [...this.#unfinished.values()]);
      },
      afterMeasuring,
    });
    this.#unfinished.delete(keyOf(entry));
    this.#known.set(keyOf(entry), {
      ...about,
      ...measured,
      fits: fitsOf(measured.points),
      measuredAtEpochMs: (nowEpochMs ?? Date.now)(),
    });
    cache?.write([...this.#known.values()], [...this.#unfinished.values()]);
  }

  /** Points of an interrupted run, or of a smaller grid, if measured under the requested conditions. */
  #measuredBefore(
    about: Pick<UnfinishedProfile, 'stageId' | 'variantId' | 'identity' | 'depth'>,
  ): MeasuredVariant | undefined {
    if (this.#request.options.renew === true) return undefined;
    const key = nameOf(about);
    return [this.#unfinished.get(key), this.#known.get(key)].find(
      (profile) =>
        profile !== undefined &&
        (profile.depth === 'full' || about.depth === 'quick') &&
        identityDifferences(profile.identity, about.identity).length === 0,
    );
  }

  async #feed(stage: StageSpec, inputs: CapturedInputs): Promise<readonly TensorMap[]> {
    const variant = flowVariant(stage);
    this.#progress.begin(`${stage.id}/${variant.id} running the samples`);
    const runner = await this.#launch(stage, variant);
    try {
      return await runEach(runner, stage, inputs);
    } finally {
      await runner.close();
    }
  }

  async #launch(stage: StageSpec, variant: VariantSpec): Promise<ModelRunner> {
    const resources = { cpuCores: flowCores(variant), memoryBytes: variant.memoryBytes, gpus: variant.gpus };
    const { baseDir } = this.#spec;
    return (await this.#request.launcher.launch({ stage, variant, resources, baseDir })).runner;
  }
}

/** Samples to draw from for a stage that few of the usual ones reach. */
const MOST_SAMPLES = 240;

const nameOf = ({ stageId, variantId }: Pick<UnfinishedProfile, 'stageId' | 'variantId'>): string =>
  `${stageId}/${variantId}`;
const keyOf = ({ stage, variant }: VariantGrid): string => nameOf({ stageId: stage.id, variantId: variant.id });

function fitsOf(points: MeasuredVariant['points']): readonly CurveFit[] {
  return [...new Set(points.map(({ cpuCores }) => cpuCores))].map((cpuCores) => {
    const sizes = points.filter((point) => point.cpuCores === cpuCores);
    return { cpuCores, batchSizes: sizes.map(({ batchSize }) => batchSize), ...monotoneFit(sizes) };
  });
}

const unitsOf = ({ coreCounts, batchSizes }: VariantGrid): number => coreCounts.length * batchSizes.length;

/** Runs items one by one, so that models of a fixed batch size can feed later stages. */
async function runEach(runner: ModelRunner, stage: StageSpec, inputs: CapturedInputs): Promise<readonly TensorMap[]> {
  const outputs: TensorMap[] = [];
  for (const input of inputs) {
    const [result] = (await runner.run([copyTensors(input)])).items;
    if (result?.kind === 'ok') outputs.push(result.output);
    else throw sampleRefused(stage, result?.error);
  }
  return outputs;
}

function sampleRefused(stage: StageSpec, cause: AppError | undefined): AppError {
  const message = `Stage ${stage.id} refused one of the samples: ${cause?.message ?? 'it returned no result'}`;
  return new AppError(cause?.code ?? 'STAGE_FAILED', message, { details: { stageId: stage.id }, cause });
}

function noInputs(stage: StageSpec, sampleCount: number): AppError {
  const message = `None of the ${sampleCount} samples gives an input to stage ${stage.id}; add samples that do.`;
  return new AppError('INVALID_INPUT', message, { details: { stageId: stage.id } });
}
