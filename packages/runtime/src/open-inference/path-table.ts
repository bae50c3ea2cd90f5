/** Which of the ways into a server a request takes: by its method and its path, in whose pattern `{name}` stands for any one segment. */
import { AppError } from '@equipoise/core/model';

/** A method and the pattern of a path. */
export interface Way {
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

/** A way that was found, with what stands in the place of its names, decoded. */
export interface WayMatch<W extends Way> {
  readonly way: W;
  readonly names: Readonly<Record<string, string>>;
}

/** Finds ways by method and path. */
export class PathTable<W extends Way> {
  readonly #ways: readonly { readonly way: W; readonly segments: readonly string[] }[];

  constructor(all: readonly W[]) {
    this.#ways = all.map((way) => ({ way, segments: segmentsOf(way.path) }));
  }

  /** The way of a request (HEAD counts as GET); AppError NOT_FOUND lists the paths, METHOD_NOT_ALLOWED the methods. */
  find(method: string, path: string): WayMatch<W> {
    const segments = segmentsOf(path);
    const matching = this.#ways.filter((each) => matches(each.segments, segments));
    const [first] = matching;
    if (first === undefined) {
      const paths = this.#ways.map(({ way }) => `${way.method} ${way.path}`);
      throw new AppError('NOT_FOUND', `There is no such path; there are ${paths.join(', ')}.`, { details: { paths } });
    }
    const wanted = method === 'HEAD' ? 'GET' : method;
    const found = matching.find(({ way }) => way.method === wanted);
    if (found === undefined) {
      const allow = matching.flatMap(({ way }) => (way.method === 'GET' ? ['GET', 'HEAD'] : [way.method]));
      throw new AppError('METHOD_NOT_ALLOWED', `${first.way.path} allows ${allow.join(', ')}.`, { details: { allow } });
    }
    const named = found.segments.flatMap((part, i) => (isName(part) ? [[part.slice(1, -1), segments[i] ?? '']] : []));
    return {
      way: found.way,
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
