/**
 * One REST call. Applies the limit of the tenant, then runs the endpoint. During a canary, a share of the inference
 * requests goes to another server instead.
 */
import type { Answer } from '../../net/answer.js';
import { HttpCall, type HttpExchange } from '../../net/http-call.js';
import type { RouteMatch, Router } from '../../net/router.js';
import { readTraceParent } from '../../trace/trace-context.js';
import { pipelineByName } from '../served-pipeline.js';
import { authenticate, requireOpen, type ServingRules } from '../serving-rules.js';
import { admitWithinLimit, type Tenant } from '../tenants/tenants.js';
import type { TrafficShare } from '../traffic-share.js';
import type { Endpoint, RestRequest } from './endpoint.js';
import type { RestRoute } from './rest-routes.js';

export interface RestPort {
  readonly rules: ServingRules;
  readonly router: Router<RestRoute>;
  readonly share: TrafficShare | undefined;
}

interface FoundRoute extends Omit<RestRoute, 'operation'> {
  readonly pipelineName: string;
}

export class RestCall extends HttpCall<FoundRoute, Tenant> {
  readonly #port: RestPort;

  constructor(port: RestPort, exchange: HttpExchange) {
    super(port.rules, exchange);
    this.#port = port;
  }

  protected route(): FoundRoute {
    const { route, names }: RouteMatch<RestRoute> = this.#port.router.find(this.method, this.path);
    const { method, path, endpoint, purpose } = route;
    return { method, path, endpoint, purpose, pipelineName: names['pipeline'] ?? '' };
  }

  protected authenticate({ purpose }: FoundRoute): Tenant | undefined {
    return authenticate(this.#port.rules, purpose, this.headers.authorization);
  }

  protected override admit({ purpose, pipelineName }: FoundRoute, tenant: Tenant | undefined): void {
    if (purpose !== 'inference') return;
    const { rules } = this.#port;
    const phase = rules.phase();
    // Unknown pipelines are 404 even during start-up: retrying cannot help.
    const pipeline = phase === 'serving' ? undefined : pipelineByName(rules.pipelines, pipelineName);
    requireOpen({ phase, hold: rules.hold }, pipeline);
    if (tenant !== undefined) admitWithinLimit(tenant, performance.now());
  }

  protected run({ endpoint, purpose, pipelineName }: FoundRoute): Answer | Promise<Answer> {
    const { rules, share } = this.#port;
    const request: RestRequest = {
      pipelines: rules.pipelines,
      pipelineName,
      requestId: this.requestId,
      tenant: this.caller,
      mediaType: this.mediaType,
      query: this.query,
      headers: this.headers,
      traceParent: purpose === 'inference' ? readTraceParent(this.headers) : undefined,
      signal: this.signal,
      phase: rules.phase(),
      isServing: () => rules.phase() === 'serving',
      hold: rules.hold,
      maxJsonBytes: rules.maxJsonBytes,
      largeRequests: rules.largeRequests,
      largeAnswers: rules.largeAnswers,
      answers: rules.answers,
      connection: this.connection,
      readBody: (layout, limit) => this.readBody(layout, limit),
    };
    return share === undefined || purpose !== 'inference' ? endpoint(request) : this.#shared(share, request, endpoint);
  }

  async #shared(share: TrafficShare, request: RestRequest, endpoint: Endpoint): Promise<Answer> {
    const target = this.exchange.request.url ?? '';
    const { answer, isOwn } = await share.answer({ method: this.method, target }, request, endpoint);
    this.isForeign = !isOwn;
    return answer;
  }
}
