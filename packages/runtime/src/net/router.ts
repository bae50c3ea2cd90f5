/** Routes of a server, by method and path. `{name}` in a pattern matches one segment. */
import { AppError } from '@equipoise/core/model';

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

/** A route with the decoded parameters of the path. */
export interface RouteMatch<R extends Route> {
  readonly route: R;
  readonly names: Readonly<Record<string, string>>;
}

interface Segment {
  readonly text: string;
  readonly isName: boolean;
}

interface KnownRoute<R extends Route> {
  readonly route: R;
  readonly segments: readonly Segment[];
}

export class Router<R extends Route> {
  readonly #routes: readonly KnownRoute<R>[];

  constructor(all: readonly R[]) {
    this.#routes = all.map((route) => ({ route, segments: segmentsOf(route.path).map(patternOf) }));
  }

  /**
   * Finds a route; HEAD counts as GET. AppError NOT_FOUND lists the known paths, METHOD_NOT_ALLOWED the allowed
   * methods.
   */
  find(method: string, path: string): RouteMatch<R> {
    const segments = segmentsOf(path);
    const wanted = method === 'HEAD' ? 'GET' : method;
    for (const known of this.#routes) {
      if (known.route.method === wanted && matches(known.segments, segments)) {
        return { route: known.route, names: namesIn(known.segments, segments) };
      }
    }
    throw this.#unknown(segments);
  }

  #unknown(segments: readonly string[]): AppError {
    const matching = this.#routes.filter((known) => matches(known.segments, segments)).map(({ route }) => route);
    const [first] = matching;
    if (first === undefined) {
      const paths = this.#routes.map(({ route }) => `${route.method} ${route.path}`);
      return new AppError('NOT_FOUND', `There is no such path; there are ${paths.join(', ')}.`, { details: { paths } });
    }
    const allow = matching.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    return new AppError('METHOD_NOT_ALLOWED', `${first.path} allows ${allow.join(', ')}.`, { details: { allow } });
  }
}

function segmentsOf(path: string): readonly string[] {
  return (path.endsWith('/') ? path.slice(0, -1) : path).split('/').slice(1);
}

function patternOf(text: string): Segment {
  const isName = text.startsWith('{') && text.endsWith('}');
  return { text: isName ? text.slice(1, -1) : text, isName };
}

function matches(pattern: readonly Segment[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  for (let at = 0; at < pattern.length; at++) {
    const { text, isName } = pattern[at] as Segment;
    if (isName ? segments[at] === '' : text !== segments[at]) return false;
  }
  return true;
}

function namesIn(pattern: readonly Segment[], segments: readonly string[]): Readonly<Record<string, string>> {
  const names: Record<string, string> = {};
  for (let at = 0; at < pattern.length; at++) {
    const { text, isName } = pattern[at] as Segment;
    if (isName) names[text] = decoded(segments[at] as string);
  }
  return names;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AppError('MALFORMED_REQUEST', 'The path has a % that is not followed by the code of a character.');
  }
}
