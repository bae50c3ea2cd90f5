/** `equipoise serve` as a user runs it, over pipelines of no-op stages. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchFile, memoryReport, type ServerProcess, servingNode, startServerProcess } from './server-process.js';

/** Options of the router. */
export interface RouterOptions {
  /** Number of stages in a row. */
  readonly stages: number;
  /**
   * True for stages that only wait, 20 ms for one item and 40 ms for four, on two replicas. The loop adapts the plan.
   */
  readonly synthetic?: boolean;
  readonly maxBatchSize: number;
  /** True if requests may have any tensors. Otherwise one FP32 tensor, `x`, is declared. */
  readonly anyTensors?: boolean;
  /** Processors of the process, and of its replicas if they are separate. */
  readonly processors?: string;
  readonly replicaProcessor?: number;
  /** Load to plan for; default 1,000. */
  readonly arrivalRps?: number;
  /** Further flags of `equipoise serve`. */
  readonly flags?: readonly string[];
}

/** A running router. */
export interface Router {
  readonly server: ServerProcess;
  readonly url: string;
  /** `host:port` of gRPC. */
  readonly grpcAddress: string;
  /** Stops the router; true if it exited without an error. */
  close(): Promise<boolean>;
}

/** Name of the pipeline, whose outputs equal its inputs. */
export const NO_OP_PIPELINE = 'no-op';
const BIN = benchFile('../../packages/app/bin/equipoise.js');
const LATENCY_MS = 2000;

export async function startRouter(options: RouterOptions): Promise<Router> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-bench-'));
  writeFileSync(join(folder, 'pipeline.yaml'), JSON.stringify(pipelineOf(options), undefined, 1));
  copyFileSync(benchFile('router/no-op-stage.mjs'), join(folder, 'no-op-stage.mjs'));
  const { processors, arrivalRps = 1000, flags = [] } = options;
  const places = ['--port', '0', '--grpc-port', '0', '--no-admin-port'];
  const { server, found } = await startServerProcess({
    command: servingNode,
    args: [BIN, 'serve', 'pipeline.yaml', ...places, '--arrival-rps', String(arrivalRps), ...flags],
    cwd: folder,
    environment: memoryReport,
    ready: /gRPC on (\S+):[\s\S]*ready (http\S+)/,
    ...(processors !== undefined && { processors }),
  });
  const [, grpcAddress = '', url = ''] = found;
  return {
    ...{ server, url, grpcAddress },
    close: async () => {
      const well = await server.stop();
      rmSync(folder, { recursive: true, force: true });
      return well;
    },
  };
}

/** The pipeline file; JSON is YAML. */
function pipelineOf(options: RouterOptions): unknown {
  const { stages, anyTensors = false, synthetic = false } = options;
  const stage = synthetic ? syntheticStage : noOpStage(options);
  return {
    apiVersion: 'equipoise.dev/v1alpha1',
    kind: 'InferencePipeline',
    metadata: { name: NO_OP_PIPELINE },
    spec: {
      slo: { latencyMs: LATENCY_MS },
      control: { mode: synthetic ? 'auto' : 'off' },
      ...(!anyTensors && { sources: [{ name: 'x', datatype: 'FP32', shape: [-1] }] }),
      stages: Array.from({ length: stages }, (_, index) => ({
        name: `stage-${index + 1}`,
        kind: 'transform',
        ...stage,
      })),
    },
  };
}

const syntheticStage = {
  pins: { replicas: 2, maxBatchSize: 4 },
  variants: [
    {
      name: 'only',
      profile: [
        { cpuCores: 1, batchSize: 1, meanMs: 20 },
        { cpuCores: 1, batchSize: 4, meanMs: 40 },
      ],
    },
  ],
};

function noOpStage({ maxBatchSize, replicaProcessor }: RouterOptions): Readonly<Record<string, unknown>> {
  // The stages take almost no time. The plan only has to fit on one processor.
  const cpuCores = 0.25;
  const variant = {
    name: 'only',
    resources: { cpuCores },
    parameters: replicaProcessor === undefined ? {} : { processor: replicaProcessor },
    profile: [...new Set([1, maxBatchSize])].map((batchSize) => ({
      cpuCores,
      batchSize,
      meanMs: 0.1 + 0.01 * batchSize,
    })),
  };
  return { module: './no-op-stage.mjs', variants: [variant], pins: { replicas: 1, maxBatchSize } };
}
