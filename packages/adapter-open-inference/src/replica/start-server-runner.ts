import { AppError, defaultRunTimeoutMs, type InferenceServerSpec, invariant } from '@equipoise/core/model';
import type { LaunchRequest } from '@equipoise/core/ports';
import type { AnswerDecoder, InferenceClient } from '../client/inference-client.js';
import { openInferenceClient } from '../client/open-inference-client.js';
import { ServerRunner } from './server-runner.js';

/** Maximum time until a server is ready (default 120 s, or 10 s if it already runs), and time between health polls. */
export interface ServerLimits {
  readonly launchTimeoutMs?: number;
  readonly healthIntervalMs?: number;
  /** Decodes answers that are large; default: this thread does. */
  readonly decodeLarge?: AnswerDecoder | undefined;
}

const DEFAULT_HEALTH_INTERVAL_MS = 5_000;
const RAW_EXTENSION = 'binary_tensor_data';

export function serverOf({ variant }: LaunchRequest): InferenceServerSpec {
  const { server } = variant;
  invariant(server !== undefined, `variant '${variant.id}' has a server`);
  return server;
}

export interface ClientSettings {
  readonly timeoutMs: number;
  readonly token: string | undefined;
  /** Host header in place of that of the address. */
  readonly host?: string | undefined;
  readonly decodeLarge: AnswerDecoder | undefined;
}

/** Client of a server. Over REST it sends raw tensors if the server supports them. */
export async function clientOf(
  url: string,
  request: LaunchRequest,
  { timeoutMs, token, host, decodeLarge }: ClientSettings,
): Promise<InferenceClient> {
  const { headers } = serverOf(request);
  const { idempotent = true } = request.stage;
  const sent = host === undefined ? headers : { host, ...headers };
  const options = {
    mayRepeat: idempotent,
    ...(token !== undefined && { token }),
    ...(sent && { headers: sent }),
    ...(decodeLarge && { decodeLarge }),
  };
  const client = openInferenceClient(url, options);
  if (!url.startsWith('http')) return client;
  try {
    const { extensions } = await client.serverMetadata({ timeoutMs });
    if (extensions.includes(RAW_EXTENSION)) return client;
  } catch (error) {
    // Otherwise each further attempt would leave an open connection behind.
    client.close();
    throw error;
  }
  client.close();
  return openInferenceClient(url, { raw: false, ...options });
}

export interface RunnerOptions extends ServerLimits {
  readonly address?: string;
  readonly release: () => Promise<void>;
}

export function runnerOver(
  client: InferenceClient,
  request: LaunchRequest,
  { healthIntervalMs = DEFAULT_HEALTH_INTERVAL_MS, address, release }: RunnerOptions,
): ServerRunner {
  const { stage, variant } = request;
  const { model, batching } = serverOf(request);
  const { runTimeoutMs = defaultRunTimeoutMs, idempotent: isIdempotent = true } = stage;
  const names = { stage: stage.id, variant: variant.id, model, address };
  return new ServerRunner(client, { ...names, batching, runTimeoutMs, healthIntervalMs, isIdempotent }, release);
}

export function cannotStart({ stage, variant }: LaunchRequest, problem: string, cause?: unknown): AppError {
  return new AppError(
    'MODEL_LOAD_FAILED',
    `Stage '${stage.id}' (variant '${variant.id}') could not be loaded: ${problem}`,
    {
      details: { stage: stage.id, variant: variant.id },
      cause,
    },
  );
}
