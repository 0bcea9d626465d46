// The baseline of `read_page`: PostGraphile 4 in production mode on one database, without authentication.
// Settings come in as JSON: {socket_dir, port, user, database, listen}.
import { createServer } from "node:http";
import pg from "pg";
import { postgraphile } from "postgraphile";

const settings = JSON.parse(process.argv[2]);
const pool = new pg.Pool({
  host: settings.socket_dir,
  port: settings.port,
  user: settings.user,
  database: settings.database,
  max: 16,
});
// What its documentation recommends for production; queries are cached by their text.
const handler = postgraphile(pool, "public", {
  watchPg: false,
  graphiql: false,
  disableQueryLog: true,
  subscriptions: false,
  dynamicJson: true,
  setofFunctionsContainNulls: false,
  ignoreRBAC: false,
  legacyRelations: "omit",
});
createServer(handler).listen(settings.listen, "127.0.0.1", () => console.log("ready"));
