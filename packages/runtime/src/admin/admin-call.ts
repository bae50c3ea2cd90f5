/** What an endpoint of the admin port is: a function from a call to an answer, so that it needs no socket. */
import type { Answer } from '../open-inference/answer.js';
import type { AdminPipeline } from './admin-pipeline.js';

/** A request as an endpoint sees it; `body` and `query` keep to the route's schemas. */
export interface AdminCall<Body = unknown> {
  readonly pipelines: ReadonlyMap<string, AdminPipeline>;
  readonly names: Readonly<Record<string, string>>;
  readonly body: Body;
  readonly query: Readonly<Record<string, unknown>>;
}

/** Answers one kind of call, or throws an AppError. */
export type AdminEndpoint<Body> = (call: AdminCall<Body>) => Answer | Promise<Answer>;
