/** Routes of the serving port, with the endpoints of health, metadata and metrics. */
import { randomUUID } from 'node:crypto';
import { AppError } from '@equipoise/core/model';
import { readIndexRequest } from '@equipoise/open-inference-codec';
import { type Answer, allReadyAnswer, liveAnswer, ok, readyAnswer } from '../../net/answer.js';
import type { Purpose } from '../../net/call.js';
import { type MetricsPage, SharedPage } from '../../net/metrics-page.js';
import type { Route } from '../../net/router.js';
import { type DocumentedRoute, openApiDocument, servedDocument } from '../../openapi/openapi-document.js';
import { metadataOf, serverMetadataOf } from '../served-pipeline.js';
import { modelConfigOf, modelStatisticsOf, repositoryIndexOf } from '../triton-extensions.js';
import { type Endpoint, pipelineOf, type RestRequest, readQuestion } from './endpoint.js';
import { feedback } from './feedback-endpoint.js';
import { infer } from './infer-endpoint.js';
import { metricsEndpoint } from './metrics-endpoint.js';
import { restOperations } from './rest-operations.js';
import { run } from './run-endpoint.js';

/** A route whose path has at most the parameter `{pipeline}`. */
export interface RestRoute extends DocumentedRoute {
  readonly endpoint: Endpoint;
  readonly purpose: Purpose;
}

const DESCRIPTION =
  'Runs pipelines. docs/reference/http-api.md explains requests, deadlines, drops, raw tensors and tokens. `HEAD` works wherever `GET` does.';

/** `/metrics` only if there is a page. `/openapi.json` describes all routes. */
export function restRoutes(version: string, page?: MetricsPage): readonly RestRoute[] {
  const shared = page && new SharedPage(page);
  const ready = readiness();
  const document = servedDocument(() => documentOf(version, routes));
  const routes: readonly RestRoute[] = [
    ...(shared === undefined ? [] : [routeOf('GET /metrics', 'metrics', 'metrics', metricsEndpoint(shared))]),
    routeOf('GET /livez', 'live', 'probe', liveAnswer),
    routeOf('GET /readyz', 'ready', 'probe', ready),
    routeOf('GET /v2', 'serverMetadata', 'metadata', () => ok(serverMetadataOf(version))),
    routeOf('GET /v2/health/live', 'serverLive', 'probe', liveAnswer),
    routeOf('GET /v2/health/ready', 'serverReady', 'probe', ready),
    routeOf('GET /v2/models/stats', 'allStatistics', 'metadata', statistics),
    routeOf('GET /v2/models/{pipeline}', 'modelMetadata', 'metadata', modelMetadata),
    routeOf('GET /v2/models/{pipeline}/ready', 'modelReady', 'metadata', pipelineReady),
    routeOf('GET /v2/models/{pipeline}/config', 'modelConfig', 'metadata', modelConfig),
    routeOf('GET /v2/models/{pipeline}/stats', 'modelStatistics', 'metadata', statistics),
    routeOf('POST /v2/repository/index', 'repositoryIndex', 'metadata', repositoryIndex),
    routeOf('POST /v2/models/{pipeline}/feedback', 'feedback', 'metadata', feedback),
    routeOf('POST /v2/models/{pipeline}/infer', 'infer', 'inference', infer),
    routeOf('POST /v2/models/{pipeline}/aggregate', 'aggregate', 'inference', infer),
    routeOf('POST /v1/pipelines/{pipeline}/run', 'run', 'inference', run),
    routeOf('GET /v1/pipelines/{pipeline}/answers', 'answers', 'metadata', answers),
    routeOf('GET /openapi.json', 'document', 'metadata', () => document()),
  ];
  return routes;
}

/** The OpenAPI document of the routes. */
export function restDocument(version: string, page?: MetricsPage): object {
  return documentOf(version, restRoutes(version, page));
}

function documentOf(version: string, routes: readonly RestRoute[]): object {
  return openApiDocument({ title: 'Equipoise, serving port', version, description: DESCRIPTION }, routes);
}

function routeOf(
  target: `${Route['method']} /${string}`,
  operation: keyof typeof restOperations,
  purpose: Purpose,
  endpoint: Endpoint,
): RestRoute {
  const [method, path] = target.split(' ') as [Route['method'], string];
  return { method, path, endpoint, purpose, operation: restOperations[operation] };
}

/**
 * Readiness: every stage of every pipeline has a replica in service. The header identifies the running server, so that a
 * terminating pod can tell whether its Service already leads to another one.
 */
function readiness(): (request: RestRequest) => Answer {
  const headers = { 'x-equipoise-instance': randomUUID() };
  return ({ pipelines, phase }) => ({ ...allReadyAnswer(phase === 'serving', pipelines.values()), headers });
}

function pipelineReady(request: RestRequest): Answer {
  const pipeline = pipelineOf(request);
  return readyAnswer(request.phase === 'serving' && pipeline.ready, { name: pipeline.name });
}

/** Metadata of a pipeline, or of a stage by `PIPELINE.STAGE`. */
function modelMetadata({ pipelines, pipelineName }: RestRequest): Answer {
  return ok(metadataOf(pipelines, pipelineName));
}

function modelConfig({ pipelines, pipelineName }: RestRequest): Answer {
  return ok(modelConfigOf(pipelines, pipelineName));
}

function statistics({ pipelines, pipelineName }: RestRequest): Answer {
  return ok(modelStatisticsOf(pipelines, pipelineName));
}

/** Answers of the caller's tenant. */
function answers(request: RestRequest): Answer {
  const pipeline = pipelineOf(request);
  if (pipeline.isPart) throw new AppError('NOT_FOUND', 'A source has no answers of its own; listen to its pipeline.');
  return request.answers.listen({ pipeline: pipeline.name, tenant: request.tenant?.name });
}

/** The body is empty or `{"ready": BOOLEAN}`. */
async function repositoryIndex(request: RestRequest): Promise<Answer> {
  const isReadyOnly = readIndexRequest(await readQuestion(request));
  return ok(repositoryIndexOf(request.pipelines, request.phase, isReadyOnly));
}
