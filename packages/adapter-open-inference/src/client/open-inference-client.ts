import { AppError } from '@equipoise/core/model';
import { GrpcClient } from './grpc-client.js';
import type { ClientOptions, InferenceClient } from './inference-client.js';
import { RestClient } from './rest-client.js';

/** Client for `http:`, `https:`, `grpc:` or `grpcs:`; throws WRONG_USAGE for another scheme. Does not connect yet. */
export function openInferenceClient(url: string, options: ClientOptions = {}): InferenceClient {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  switch (parsed?.protocol) {
    case 'http:':
    case 'https:':
      return new RestClient(parsed, options);
    case 'grpc:':
    case 'grpcs:':
      return new GrpcClient(parsed, options);
    default:
      throw new AppError(
        'WRONG_USAGE',
        `"${url}" is not an address of an inference server; expected http://host:port, https://…, grpc://… or grpcs://….`,
      );
  }
}
