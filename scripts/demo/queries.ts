/**
 * The first half of the demonstration: loading the cities, and questions about them at every consistency level.
 * @module
 */
import { type NodeProcess, until } from "../../tests/harness/processes.ts";
import { type Cell, duration, table } from "../terminal/table.ts";
import { Progress, thousands } from "../../src/program/client/progress.ts";
import { CITIES_INSERT, CITIES_SCHEMA, type City, countryName, readCities } from "./cities.ts";

const ROWS_PER_REQUEST = 1000;
const REQUESTS_AT_ONCE = 3;
const KM_PER_DEGREE = 111.195; // of latitude, on a sphere of 6,371 km
const EVEREST = { lat: 27.98806, lng: 86.92528 };

/** A question to the cluster, and how to show the answer. */
interface Question {
  readonly title: string;
  readonly level: "none" | "weak" | "linearizable" | "strong";
  readonly node: NodeProcess;
  /** SQL, then its parameters. */
  readonly statement: readonly [string, ...(string | number)[]];
  readonly heading: readonly string[];
  /** A row of the answer as a row of the table. */
  readonly show: (row: readonly unknown[]) => readonly Cell[];
  /** Number of rows the answer must have. */
  readonly rows: number;
}

/**
 * Loads all cities at the leader, and waits until every node has them.
 * @returns Their number.
 */
export async function loadCities(leader: NodeProcess, nodes: readonly NodeProcess[]): Promise<number> {
  const cities = await readCities();
  await leader.execute(CITIES_SCHEMA);
  const progress = new Progress(cities.length, "rows");
  let next = 0;
  const load = async () => {
    while (next < cities.length) {
      const some: readonly City[] = cities.slice(next, next += ROWS_PER_REQUEST);
      const { results, error } = await leader.send(
        "/db/execute?transaction",
        some.map((city) => [CITIES_INSERT, ...city]),
      );
      const wrong = error ?? results.find((result) => result.rows_affected !== 1)?.error;
      if (wrong !== undefined || results.length !== some.length) throw new Error(`Cannot load the cities: ${wrong}`);
      progress.advance(some.length);
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, load));
  progress.finish();
  const loaded = performance.now();
  await leader.execute("CREATE INDEX cities_country ON cities(country)");
  await Promise.all(nodes.map((node) =>
    until(`all rows on node ${node.place.id}`, async () => {
      const [count] = await node.row("SELECT count(*) FROM cities INDEXED BY cities_country", "none");
      return count === cities.length ? true : undefined;
    })
  ));
  console.log(`  indexed by country, and all of it on every node, ${duration(performance.now() - loaded)} later`);
  return cities.length;
}

/** Asks questions at every consistency level, of the leader and of followers, and shows the answers. */
export async function showQueries(leader: NodeProcess, followers: readonly NodeProcess[], count: number) {
  for (const question of questions(leader, followers)) {
    const { title, level, node, statement, heading, show } = question;
    const started = performance.now();
    const { results, error } = await node.send(`/db/query?level=${level}`, [statement]);
    const elapsedMs = performance.now() - started;
    const wrong = error ?? results[0]?.error;
    if (wrong !== undefined) throw new Error(`Cannot answer "${title}" at level ${level}: ${wrong}`);
    const values = results[0].values ?? [];
    if (values.length !== question.rows) {
      throw new Error(`"${title}" has ${values.length} rows instead of ${question.rows}`);
    }
    const role = node === leader ? "the leader" : "a follower";
    console.log(`\n  ${title}: level ${level}, asked of node ${node.place.id}, ${role}: ${duration(elapsedMs)}\n`);
    console.log(table(heading, values.map(show), { indent: "    " }));
  }
  const counts = await Promise.all(
    [leader, ...followers].map((node) => node.row("SELECT count(*) FROM cities", "strong")),
  );
  if (counts.some(([found]) => found !== count)) throw new Error(`Cannot find ${count} cities on all: ${counts}`);
  console.log(`\n  ${thousands(count)} cities, say all nodes at level strong`);
}

function questions(leader: NodeProcess, [first, second]: readonly NodeProcess[]): Question[] {
  const width = Math.cos(EVEREST.lat * Math.PI / 180); // of a degree of longitude there
  return [
    {
      title: "Countries with the most cities",
      level: "weak",
      node: leader,
      statement: ["SELECT country, count(*) AS cities FROM cities GROUP BY country ORDER BY cities DESC LIMIT 6"],
      heading: ["country", "cities"],
      show: ([code, cities]) => [countryName(String(code)), Number(cities)],
      rows: 6,
    },
    {
      title: "Nearest to Mount Everest",
      level: "none",
      node: first,
      statement: [
        "SELECT name, country, (lat - ?1) * (lat - ?1) + (lng - ?2) * (lng - ?2) * ?3 AS squared FROM cities " +
        "ORDER BY squared LIMIT 5",
        EVEREST.lat,
        EVEREST.lng,
        width * width,
      ],
      heading: ["city", "country", "km"],
      show: ([name, code, squared]) => [
        String(name),
        countryName(String(code)),
        (KM_PER_DEGREE * Math.sqrt(Number(squared))).toFixed(1),
      ],
      rows: 5,
    },
    {
      title: "Names in the most countries",
      level: "linearizable",
      node: second,
      statement: [
        "SELECT name, count(DISTINCT country) AS countries, count(*) FROM cities GROUP BY name " +
        "ORDER BY countries DESC, name LIMIT 5",
      ],
      heading: ["name", "countries", "cities"],
      show: ([name, countries, cities]) => [String(name), Number(countries), Number(cities)],
      rows: 5,
    },
    {
      title: "The northernmost and the southernmost",
      level: "strong",
      node: first,
      statement: [
        "SELECT * FROM (SELECT name, country, lat FROM cities ORDER BY lat DESC LIMIT 2) UNION ALL " +
        "SELECT * FROM (SELECT name, country, lat FROM cities ORDER BY lat LIMIT 2)",
      ],
      heading: ["city", "country", "latitude"],
      show: ([name, code, lat]) => [String(name), countryName(String(code)), Number(lat).toFixed(2)],
      rows: 4,
    },
  ];
}
