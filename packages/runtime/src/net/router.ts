/** Routes of a server, by method and path. `{name}` in a pattern matches one segment. */
import { AppError } from '@equipoise/core/model';

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

/** With decoded path parameters. */
export interface RouteMatch<R extends Route> {
  readonly route: R;
  readonly names: Readonly<Record<string, string>>;
}

export class Router<R extends Route> {
  readonly #routes: readonly { readonly route: R; readonly segments: readonly string[] }[];

  constructor(all: readonly R[]) {
    this.#routes = all.map((route) => ({ route, segments: segmentsOf(route.path) }));
  }

  /** HEAD counts as GET. AppError NOT_FOUND lists the paths, METHOD_NOT_ALLOWED the methods. */
  find(method: string, path: string): RouteMatch<R> {
    const segments = segmentsOf(path);
    const matching = this.#routes.filter((each) => matches(each.segments, segments));
    const [first] = matching;
    if (first === undefined) {
      const paths = this.#routes.map(({ route }) => `${route.method} ${route.path}`);
      throw new AppError('NOT_FOUND', `There is no such path; there are ${paths.join(', ')}.`, { details: { paths } });
    }
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = matching.find(({ route }) => route.method === wanted);
    if (found === undefined) {
      const allow = matching.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
      throw new AppError('METHOD_NOT_ALLOWED', `${first.route.path} allows ${allow.join(', ')}.`, {
        details: { allow },
      });
    }
    const named = found.segments.flatMap((part, i) => (isName(part) ? [[part.slice(1, -1), segments[i] ?? '']] : []));
    return {
      route: found.route,
      names: Object.fromEntries(named.map(([name = '', segment = '']) => [name, decoded(segment)])),
    };
  }
}

const isName = (part: string): boolean => part.startsWith('{') && part.endsWith('}');

function segmentsOf(path: string): readonly string[] {
  return (path.endsWith('/') ? path.slice(0, -1) : path).split('/').slice(1);
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, i) => (isName(part) ? segments[i] !== '' : part === segments[i]))
  );
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AppError('MALFORMED_REQUEST', 'The path has a % that is not followed by the code of a character.');
  }
}
