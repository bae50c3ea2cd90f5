/**
 * Weight-balanced search tree (Nievergelt and Reingold 1973; parameters of Hirai and Yamamoto 2011) of items by (deadline,
 * sequence). Each operation takes O(log n), also if clients choose the deadlines.
 */

/** `sequence` breaks ties of deadlines, and is unique. */
export interface OrderedItem {
  readonly deadlineAtMs: number;
  readonly sequence: number;
}

export function goesBefore(a: OrderedItem, b: OrderedItem): boolean {
  return a.deadlineAtMs < b.deadlineAtMs || (a.deadlineAtMs === b.deadlineAtMs && a.sequence < b.sequence);
}

interface Node<Item> {
  readonly item: Item;
  left: Tree<Item>;
  right: Tree<Item>;
  size: number;
}

type Tree<Item> = Node<Item> | undefined;

type Side = 'left' | 'right';

const OPPOSITE = { left: 'right', right: 'left' } as const;

/** A subtree may be so many times as large as its sibling. */
const MOST_RATIO = 3;
/** From this ratio of the inner to the outer grandchild, the inner one comes to the top. */
const INNER_RATIO = 2;

export class ItemTree<Item extends OrderedItem> {
  #root: Tree<Item>;

  get size(): number {
    return sizeOf(this.#root);
  }

  first(): Item | undefined {
    let node = this.#root;
    while (node?.left !== undefined) node = node.left;
    return node?.item;
  }

  /** Number of items with a deadline of at most `deadlineAtMs`. */
  countUntil(deadlineAtMs: number): number {
    let count = 0;
    for (let node = this.#root; node !== undefined; ) {
      if (node.item.deadlineAtMs <= deadlineAtMs) {
        count += sizeOf(node.left) + 1;
        node = node.right;
      } else node = node.left;
    }
    return count;
  }

  /** The last item with a deadline of at most `deadlineAtMs`. */
  lastUntil(deadlineAtMs: number): Item | undefined {
    let last: Item | undefined;
    for (let node = this.#root; node !== undefined; ) {
      if (node.item.deadlineAtMs <= deadlineAtMs) {
        last = node.item;
        node = node.right;
      } else node = node.left;
    }
    return last;
  }

  add(item: Item): void {
    this.#root = withItem(this.#root, item);
  }

  /** False if the tree does not have the item. */
  remove(item: Item): boolean {
    const { size } = this;
    this.#root = withoutItem(this.#root, item);
    return this.size < size;
  }

  /** A copy, in order. */
  items(): readonly Item[] {
    const items: Item[] = [];
    collect(this.#root, items);
    return items;
  }
}

function sizeOf<Item>(tree: Tree<Item>): number {
  return tree === undefined ? 0 : tree.size;
}

function withItem<Item extends OrderedItem>(tree: Tree<Item>, item: Item): Node<Item> {
  if (tree === undefined) return { item, left: undefined, right: undefined, size: 1 };
  const side = goesBefore(item, tree.item) ? 'left' : 'right';
  tree[side] = withItem(tree[side], item);
  return balanced(tree);
}

function withoutItem<Item extends OrderedItem>(tree: Tree<Item>, item: Item): Tree<Item> {
  if (tree === undefined) return undefined;
  if (tree.item === item) return joined(tree.left, tree.right);
  const side = goesBefore(item, tree.item) ? 'left' : 'right';
  tree[side] = withoutItem(tree[side], item);
  return balanced(tree);
}

/** One tree of two siblings. The first item of `right` comes to the top. */
function joined<Item extends OrderedItem>(left: Tree<Item>, right: Tree<Item>): Tree<Item> {
  if (left === undefined || right === undefined) return left ?? right;
  let top: Node<Item> = right;
  while (top.left !== undefined) top = top.left;
  const rest = withoutItem<Item>(right, top.item);
  top.left = left;
  top.right = rest;
  return balanced(top);
}

/** Restores the balance after a change of one item in a subtree. */
function balanced<Item>(node: Node<Item>): Node<Item> {
  const left = sizeOf(node.left);
  const right = sizeOf(node.right);
  if (left + right > 1) {
    if (left > MOST_RATIO * right) return rotated(node, 'left');
    if (right > MOST_RATIO * left) return rotated(node, 'right');
  }
  node.size = left + right + 1;
  return node;
}

/** Brings the heavier child to the top, or its inner child if that is large. */
function rotated<Item>(node: Node<Item>, heavier: Side): Node<Item> {
  const inner = OPPOSITE[heavier];
  const child = node[heavier] as Node<Item>;
  if (sizeOf(child[inner]) >= INNER_RATIO * sizeOf(child[heavier])) node[heavier] = raised(child, inner);
  return raised(node, heavier);
}

/** Exchanges a node and its child. Returns the former child. */
function raised<Item>(node: Node<Item>, side: Side): Node<Item> {
  const top = node[side] as Node<Item>;
  node[side] = top[OPPOSITE[side]];
  top[OPPOSITE[side]] = node;
  measure(node);
  measure(top);
  return top;
}

function measure<Item>(node: Node<Item>): void {
  node.size = sizeOf(node.left) + sizeOf(node.right) + 1;
}

function collect<Item>(tree: Tree<Item>, into: Item[]): void {
  if (tree === undefined) return;
  collect(tree.left, into);
  into.push(tree.item);
  collect(tree.right, into);
}
