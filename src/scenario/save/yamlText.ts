import { Document, Pair, Scalar, YAMLMap, YAMLSeq, type Node } from 'yaml';

/** What a scenario's text is made from: addresses are bigint and become hexadecimal, sizes are texts with units. */
export type Written = string | number | bigint | boolean | readonly Written[] | WrittenMap;

export interface WrittenMap {
  readonly [key: string]: Written | undefined;
}

/** Keys of lists with an entry a line, and of maps with one. */
const LISTS = ['steps', 'moments'];
const MAPS = ['devices', 'domains'];

/** The text of a scenario: a step a line where it fits. `comment` stands above it. */
export function yamlText(comment: string, whole: WrittenMap): string {
  const document = new Document();
  document.contents = blockMap(whole);
  document.commentBefore = ` ${comment}`;
  // However long: a step is a line.
  return document.toString({ lineWidth: 0 });
}

function blockMap(map: WrittenMap): YAMLMap {
  return mapOf(map, (key, value) => {
    if (LISTS.includes(key) && isList(value)) {
      const list = new YAMLSeq();
      list.items = value.map((each) => (isMap(each) ? blockMap(each) : flowNode(each)));
      return list;
    }
    if (MAPS.includes(key) && isMap(value)) return mapOf(value, (_, each) => flowNode(each));
    return isMap(value) && holdsLists(value) ? blockMap(value) : flowNode(value);
  });
}

/** Whether steps stand somewhere below, so that one line is not enough. */
const holdsLists = (map: WrittenMap): boolean =>
  Object.entries(map).some(
    ([key, value]) => LISTS.includes(key) || (value !== undefined && isMap(value) && holdsLists(value)),
  );

function flowNode(value: Written): Node {
  if (isList(value)) {
    const list = new YAMLSeq();
    list.items = value.map(flowNode);
    list.flow = true;
    return list;
  }
  if (isMap(value)) {
    const map = mapOf(value, (_, each) => flowNode(each));
    map.flow = true;
    return map;
  }
  const scalar = new Scalar(value);
  if (typeof value === 'bigint') scalar.format = 'HEX';
  return scalar;
}

function mapOf(map: WrittenMap, nodeOf: (key: string, value: Written) => Node): YAMLMap {
  const made = new YAMLMap();
  for (const [key, value] of Object.entries(map))
    if (value !== undefined) made.items.push(new Pair(new Scalar(key), nodeOf(key, value)));
  return made;
}

const isList = (value: Written): value is readonly Written[] => Array.isArray(value);
const isMap = (value: Written): value is WrittenMap => typeof value === 'object' && !isList(value);
