/** Keeps equal field trees of `managedFields` once. They take half of an object's memory, and most pipelines have the same. */
import type { FieldTree, KubeObject } from '../api/kube-object.js';

const MOST_TREES = 4_096;

export class FieldTrees {
  /** By their JSON. */
  readonly #trees = new Map<string, FieldTree>();

  /** An equal object, with the trees of earlier objects where they are equal. */
  shared<T extends KubeObject>(object: T): T {
    const { managedFields } = object.metadata;
    if (managedFields === undefined) return object;
    const entries = managedFields.map((entry) =>
      entry.fieldsV1 === undefined ? entry : { ...entry, fieldsV1: this.#only(entry.fieldsV1) },
    );
    return { ...object, metadata: { ...object.metadata, managedFields: entries } };
  }

  #only(tree: FieldTree): FieldTree {
    const text = JSON.stringify(tree);
    const known = this.#trees.get(text);
    if (known !== undefined) return known;
    if (this.#trees.size >= MOST_TREES) this.#trees.clear();
    this.#trees.set(text, tree);
    return tree;
  }
}
