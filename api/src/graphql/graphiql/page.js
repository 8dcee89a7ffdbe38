// Starts GraphiQL on the endpoint whose page this is.
"use strict";

(() => {
  const QUERY = `# Put your token into Headers below, then run.

query FindATool {
  viewer { handle roles }
  searchTools(query: "create an issue", first: 5) {
    hits {
      score
      tool { name description server { slug } }
      why { matchedTerms similarity }
    }
    notice
  }
}
`;
  const PLACE = "PUT-YOUR-TOKEN-HERE";
  const HEADERS = `{\n  "Authorization": "Bearer ${PLACE}"\n}`;
  const KEPT = "metamcp:headers";
  // How long nobody types until the headers count as changed.
  const PAUSE = 500;

  // From the page's own address, so that it also works behind a proxy that adds a prefix.
  const endpoint = new URL(location.pathname.replace(/\/$/, ""), location.origin);
  const live = new URL(`${endpoint.pathname}/ws`, endpoint);
  live.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

  const parse = (headers) => {
    try {
      return JSON.parse(headers);
    } catch {
      return {};
    }
  };
  const hasToken = (headers) => /^bearer +\S/i.test(parse(headers).Authorization) && !headers.includes(PLACE);

  // GraphiQL reads the schema when its fetcher is another one, and at first before it knows the editor's headers.
  const withHeaders = (headers) => ({
    headers,
    fetcher: GraphiQL.createFetcher({
      url: endpoint.href,
      subscriptionUrl: live.href,
      headers: parse(headers),
      wsConnectionParams: parse(headers),
      fetch: (url, options) => fetch(url, { ...options, credentials: "same-origin" }),
    }),
  });

  function Page() {
    const [state, setState] = React.useState(() => withHeaders(sessionStorage.getItem(KEPT) ?? HEADERS));
    const typing = React.useRef();
    const onEditHeaders = React.useCallback((headers) => {
      sessionStorage.setItem(KEPT, headers);
      clearTimeout(typing.current);
      typing.current = setTimeout(() => setState((now) => (now.headers === headers ? now : withHeaders(headers))), PAUSE);
    }, []);
    return React.createElement(GraphiQL, {
      fetcher: state.fetcher,
      onEditHeaders,
      // Strangers may not read the schema: without a token, do not ask.
      schema: hasToken(state.headers) ? undefined : null,
      defaultQuery: QUERY,
      defaultHeaders: state.headers, // of a new tab
      defaultEditorToolsVisibility: "headers",
      // GraphiQL keeps headers with its tabs and its history, and so the token: no longer than the browser's tab is open.
      storage: sessionStorage,
      shouldPersistHeaders: true,
    });
  }

  ReactDOM.createRoot(document.getElementById("graphiql")).render(React.createElement(Page));
})();
