/**
 * Prepares tensors for transfer to another thread. A buffer that is covered by a single view is transferred, which
 * empties the sender's view. Other views are copied first. Shared memory stays shared; strings are cloned. Elements of
 * a long BYTES tensor are copied to one buffer, because posting compares each buffer with all others. This takes 7 s
 * for 100,000 buffers.
 */
import type { Tensor, TensorData, TensorMap } from '@equipoise/core/model';

type View = Exclude<TensorData, readonly unknown[]>;

export interface MovableTensors {
  readonly items: readonly TensorMap[];
  readonly transfer: readonly ArrayBuffer[];
}

const isView = (value: unknown): value is View => ArrayBuffer.isView(value);

function viewsOf({ data }: Tensor): readonly View[] {
  if (isView(data)) return [data];
  return (data as readonly (string | Uint8Array)[]).filter((element) => typeof element !== 'string');
}

function countViews(items: readonly TensorMap[]): ReadonlyMap<ArrayBufferLike, number> {
  const counts = new Map<ArrayBufferLike, number>();
  for (const view of items.flatMap((item) => Object.values(item)).flatMap(viewsOf)) {
    counts.set(view.buffer, (counts.get(view.buffer) ?? 0) + 1);
  }
  return counts;
}

/** Copies a view; the `slice` of a Buffer would share its memory. */
const copyOf = (view: View): View => (Buffer.isBuffer(view) ? new Uint8Array(view) : view.slice());

const MOST_MOVED = 64;

/** Numeric views must start at a multiple of their element size. */
const ALIGNMENT_BYTES = 8;
const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;

function packed(elements: readonly Uint8Array[]): readonly Uint8Array[] {
  const all = new Uint8Array(elements.reduce((bytes, { byteLength }) => bytes + aligned(byteLength), 0));
  let next = 0;
  return elements.map((element) => {
    const start = next;
    next += aligned(element.byteLength);
    all.set(element, start);
    return all.subarray(start, start + element.byteLength);
  });
}

/** Tensors to post; the tensors of `items` must not be used afterwards. */
export function movableTensors(items: readonly TensorMap[]): MovableTensors {
  const counts = countViews(items);
  const transfer: ArrayBuffer[] = [];
  const isAlone = (view: View): boolean => view.byteLength === view.buffer.byteLength && counts.get(view.buffer) === 1;
  const own = (view: View): View => {
    if (view.buffer instanceof SharedArrayBuffer) return view;
    const owned = isAlone(view) ? view : copyOf(view);
    transfer.push(owned.buffer as ArrayBuffer);
    return owned;
  };
  const ownElements = (elements: readonly (string | Uint8Array)[]): readonly (string | Uint8Array)[] => {
    if (elements.length <= MOST_MOVED)
      return elements.map((element) => (typeof element === 'string' ? element : (own(element) as Uint8Array)));
    const isCopied = (element: string | Uint8Array): element is Uint8Array =>
      isView(element) && !(element.buffer instanceof SharedArrayBuffer);
    const copies = packed(elements.filter(isCopied));
    const [first] = copies;
    if (first !== undefined) transfer.push(first.buffer as ArrayBuffer);
    let next = 0;
    return elements.map((element) => (isCopied(element) ? (copies[next++] as Uint8Array) : element));
  };
  const ownData = (data: TensorData): TensorData =>
    isView(data) ? own(data) : (ownElements(data as readonly (string | Uint8Array)[]) as TensorData);
  const moved = items.map((item) =>
    Object.fromEntries(
      Object.entries(item).map(([name, { datatype, shape, data }]) => [name, { datatype, shape, data: ownData(data) }]),
    ),
  );
  return { items: moved, transfer };
}

export interface TensorPort {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

/** Posts tensors. Memory that cannot be transferred (of WebAssembly) is cloned. */
export function postTensors(
  port: TensorPort,
  items: readonly TensorMap[],
  message: (items: readonly TensorMap[]) => unknown,
): void {
  const { items: moved, transfer } = movableTensors(items);
  const posted = message(moved);
  try {
    port.postMessage(posted, transfer);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'DataCloneError')) throw error;
    port.postMessage(posted);
  }
}
