/** Errors with external causes (file, model, request body). Each has a code. Bugs violate an `invariant` instead. */

/** By code: HTTP status, exit code of the command line, and remedy for the user. */
export const errorCodes = {
  INVALID_PIPELINE: {
    httpStatus: 400,
    exitCode: 1,
    remedy: 'Correct the listed problems of the file that the message names.',
  },
  FILE_NOT_FOUND: {
    httpStatus: 404,
    exitCode: 3,
    remedy: 'Check the path. Paths in a pipeline file or a grid are relative to the folder of that file.',
  },
  FILE_UNREADABLE: {
    httpStatus: 500,
    exitCode: 3,
    remedy: 'Check the permissions and the format of the file.',
  },
  MODULE_INVALID: {
    httpStatus: 500,
    exitCode: 3,
    remedy:
      'Correct the module. A stage module exports load(variant, resources), which returns { run(batch) }. An evaluation module exports loadSamples(dataDir) and, without a metric in the pipeline file, score(samples).',
  },
  MODEL_LOAD_FAILED: {
    httpStatus: 500,
    exitCode: 3,
    remedy: 'Check that the artifact of the variant is valid and that its runtime is installed.',
  },
  ARTIFACT_UNAVAILABLE: {
    httpStatus: 502,
    exitCode: 3,
    remedy: 'Check the address and the network. Or copy the file to this machine and use its path as the artifact.',
  },
  ARTIFACT_CHANGED: {
    httpStatus: 502,
    exitCode: 3,
    remedy: 'Find out why the artifact changed. To accept the new artifact, put its SHA-256 into the pipeline file.',
  },
  STAGE_FAILED: {
    httpStatus: 500,
    exitCode: 3,
    remedy: "Read the error of the stage in the server's log. The server does not retry failed items.",
  },
  CONDITION_FAILED: {
    httpStatus: 500,
    exitCode: 3,
    remedy: 'Correct the `when` condition that the message names, or the outputs of the stage that the edge leaves.',
  },
  REPLICA_LOST: {
    httpStatus: 503,
    exitCode: 3,
    remedy:
      'Send the request again: the server could not retry it, or the retry failed, too. The server replaces the replica.',
  },
  PROFILE_MISSING: {
    httpStatus: 409,
    exitCode: 1,
    remedy: 'Run `equipoise profile FILE` or give the variant an inline profile.',
  },
  PROFILE_INVALID: {
    httpStatus: 400,
    exitCode: 1,
    remedy:
      'Correct the profile points that the message names. If the profile is of another machine, measure on this one.',
  },
  MALFORMED_REQUEST: { httpStatus: 400, exitCode: 2, remedy: 'Send a request in the documented form.' },
  UNAUTHENTICATED: {
    httpStatus: 401,
    exitCode: 2,
    remedy: 'Send a valid token as `authorization: Bearer TOKEN`.',
  },
  FORBIDDEN: {
    httpStatus: 403,
    exitCode: 2,
    remedy:
      "Send the request on the server's machine to a loopback address, and not from a page of another site. Or start the server with --admin-token-file.",
  },
  NOT_FOUND: { httpStatus: 404, exitCode: 2, remedy: 'Use one of the names that the message lists.' },
  CONFLICT: {
    httpStatus: 409,
    exitCode: 1,
    remedy: 'Send the request again when the state that the message names has changed.',
  },
  METHOD_NOT_ALLOWED: { httpStatus: 405, exitCode: 2, remedy: 'Use a method that the Allow header lists.' },
  REQUEST_TIMEOUT: { httpStatus: 408, exitCode: 3, remedy: 'Send headers and body without long pauses.' },
  BODY_TOO_LARGE: {
    httpStatus: 413,
    exitCode: 2,
    remedy:
      'Send a smaller body, send large tensors in binary form, or raise the limit with --max-body-bytes or --max-json-bytes.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    httpStatus: 415,
    exitCode: 2,
    remedy: 'Send one of the content types that the message lists, and no content-encoding.',
  },
  TENSOR_MISMATCH: {
    httpStatus: 422,
    exitCode: 2,
    remedy: 'Send tensors with the names, data types and shapes of the model metadata.',
  },
  BATCH_SIZE_INVALID: {
    httpStatus: 422,
    exitCode: 2,
    remedy: 'Send a batch of at least one item and at most as many as the message says.',
  },
  BATCH_OUTPUTS_DIFFER: {
    httpStatus: 422,
    exitCode: 2,
    remedy: 'Send these items as single requests: tensors of different types are no batch.',
  },
  INVALID_FIELDS: { httpStatus: 422, exitCode: 2, remedy: 'Correct the fields that the message lists.' },
  REQUEST_QUARANTINED: {
    httpStatus: 422,
    exitCode: 2,
    remedy:
      'Do not send this input again: it hung a stage. After you correct the stage, clear its quarantine on the admin port, or wait 10 minutes.',
  },
  PART_MISSING: {
    httpStatus: 408,
    exitCode: 3,
    remedy:
      'Send the parts of all sources under the same id or key, within the time limits of `sourceJoin`. Check the source that the message names.',
  },
  PART_LATE: {
    httpStatus: 409,
    exitCode: 3,
    remedy: 'Send the part earlier, or raise `sourceJoin.maxWaitMs`. To try again, send all parts under a new id.',
  },
  PART_DUPLICATE: { httpStatus: 409, exitCode: 2, remedy: 'Use a new id for each request.' },
  PART_STALE: {
    httpStatus: 409,
    exitCode: 3,
    remedy:
      'Check the source that the message names: it has stopped, or sends more rarely than its `latest.maxAgeMs`. Or set `onMissing: partial` on it.',
  },
  PART_KEY_INVALID: {
    httpStatus: 422,
    exitCode: 2,
    remedy: 'Send a single key of 1 to 256 bytes and, if the pipeline has times, a finite number of ms.',
  },
  RATE_LIMITED: {
    httpStatus: 429,
    exitCode: 3,
    remedy: 'Wait for the time in Retry-After, then send fewer requests per second.',
  },
  INVALID_INPUT: {
    httpStatus: 422,
    exitCode: 2,
    remedy: 'Send an input that the stage accepts, as the message says.',
  },
  DROPPED: {
    httpStatus: 503,
    exitCode: 3,
    remedy: 'Send the request again after the time in Retry-After (gRPC: grpc-retry-pushback-ms).',
  },
  DEADLINE_PASSED: { httpStatus: 504, exitCode: 3, remedy: 'Allow more time or send less load.' },
  INTERNAL_ERROR: {
    httpStatus: 500,
    exitCode: 3,
    remedy: 'This is a defect of Equipoise. Report it, with the server log at the time of the error.',
  },
  WRONG_USAGE: {
    httpStatus: 400,
    exitCode: 2,
    remedy: 'Run the command with `--help` to see its arguments and flags.',
  },
  POLICY_FAILED: {
    httpStatus: 400,
    exitCode: 2,
    remedy:
      'Correct the policy, as the message says; docs/guide/experiments.md has an example. Then run the same command again: finished cells are kept.',
  },
  CANARY_FAILED: {
    httpStatus: 409,
    exitCode: 1,
    remedy:
      'Correct the problem of the new variant that the message names. The old variant continues to serve. To start another canary, apply the plan again.',
  },
  PACKAGE_MISSING: {
    httpStatus: 500,
    exitCode: 3,
    remedy: 'Run the command of the message in the folder in which Equipoise is installed.',
  },
  INFEASIBLE: { httpStatus: 409, exitCode: 1, remedy: 'Relax the constraint that the message names.' },
  PORT_IN_USE: {
    httpStatus: 500,
    exitCode: 3,
    remedy:
      'Choose another port with its flag, such as --port or --admin-port. Or stop the process that uses the port.',
  },
  STATE_IN_USE: {
    httpStatus: 500,
    exitCode: 3,
    remedy: 'Stop the other server, or use another folder for this server.',
  },
  STORE_FAILED: {
    httpStatus: 500,
    exitCode: 3,
    remedy: 'Follow the message. If it has no remedy, check the disk and the permissions of the path that it names.',
  },
  INTERRUPTED: {
    httpStatus: 503,
    exitCode: 3,
    remedy: 'Run the same command again. It continues from saved results, if it has any.',
  },
  CLUSTER_REFUSED: {
    httpStatus: 502,
    exitCode: 3,
    remedy:
      'Read the answer of the API server in the message. After 401 or 403, check the kubeconfig or the role of the service account.',
  },
  UNREACHABLE: { httpStatus: 502, exitCode: 3, remedy: 'Check the address. Check that the server runs.' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

export const isServerFault = (code: ErrorCode): boolean => errorCodes[code].httpStatus >= 500;

/** JSON-serialisable facts. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * True for errors that clients or load cause. A server creates thousands of them per second under attack, and a stack
 * would be most of their cost.
 */
function isCausedFromOutside(code: ErrorCode): boolean {
  const { httpStatus } = errorCodes[code];
  return httpStatus < 500 || httpStatus === 503 || httpStatus === 504;
}

/** V8 captures so many frames of a stack; undefined in other engines. */
const stacks = Error as { stackTraceLimit?: number | undefined };

/**
 * `code` is for programs, `message` for people. `retryable`: the same call may succeed later. Errors that clients or load
 * cause have no stack.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly retryable: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: ErrorDetails; readonly retryable?: boolean; readonly cause?: unknown } = {},
  ) {
    const { stackTraceLimit } = stacks;
    if (isCausedFromOutside(code)) stacks.stackTraceLimit = 0;
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    stacks.stackTraceLimit = stackTraceLimit;
    this.name = 'AppError';
    this.code = code;
    this.details = options.details ?? {};
    this.retryable = options.retryable ?? false;
  }

  /** Error of `purpose` without an optional package. `packages` are names with versions, for `npm install`. */
  static packageMissing(purpose: string, packages: string, cause: unknown): AppError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${purpose} needs a package that cannot be loaded; install it with \`npm install ${packages}\` (${reason}).`;
    return new AppError('PACKAGE_MISSING', message, { details: { packages }, cause });
  }
}
