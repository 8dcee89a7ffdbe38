//! Queries that come while all cores are taken, and run together when one is free.
//!
//! A short text costs little arithmetic, but all weights of the model have to come by for it. Texts that run
//! together share that way.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::EmbedError;

/// Queries that run together at most: more would save little, and the first would wait for the last.
const MOST: usize = 4;

type Answer = Result<Vec<f32>, EmbedError>;

/// The queries that nobody has begun with, and the cores that they wait for.
pub(super) struct Together {
    cores: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    queries: Vec<Query>,
}

struct Query {
    id: u64,
    text: String,
    answer: oneshot::Sender<Answer>,
}

impl Together {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            waiting: Mutex::default(),
        }
    }

    /// Answers a query with what `run` makes of it, alone or with others. `run` is called off the async runtime.
    ///
    /// # Errors
    /// Those of `run`.
    pub(super) async fn ask(
        &self,
        text: &str,
        run: impl Fn(&[String]) -> Result<Vec<Vec<f32>>, EmbedError> + Send + 'static,
    ) -> Answer {
        let (id, mut answer) = self.wait(text);
        let stopped = |_| EmbedError::Model("it stopped".to_owned());
        tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(stopped)?,
            core = Arc::clone(&self.cores).acquire_owned() => {
                let queries = self.take(id);
                // Detached, for the others: whoever asked first may not wait any more.
                drop(tokio::task::spawn_blocking(move || {
                    run_all(queries, run);
                    drop(core);
                }));
            }
        }
        answer.await.map_err(stopped)?
    }

    fn wait(&self, text: &str) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let id = waiting.next;
        waiting.next += 1;
        let text = text.to_owned();
        waiting.queries.push(Query { id, text, answer });
        (id, receiver)
    }

    /// A query and the first that wait with it; nothing when somebody has taken it already. So whoever has a core
    /// never leaves its own query behind.
    fn take(&self, id: u64) -> Vec<Query> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let queries = &mut waiting.queries;
        queries.retain(|query| !query.answer.is_closed());
        let Some(own) = queries.iter().position(|query| query.id == id) else {
            return Vec::new();
        };
        let own = queries.remove(own);
        let others = queries.len().min(MOST - 1);
        std::iter::once(own)
            .chain(queries.drain(..others))
            .collect()
    }
}

fn run_all(queries: Vec<Query>, run: impl Fn(&[String]) -> Result<Vec<Vec<f32>>, EmbedError>) {
    let (texts, answers): (Vec<_>, Vec<_>) = queries
        .into_iter()
        .map(|query| (query.text, query.answer))
        .unzip();
    let vectors = match run(&texts) {
        Ok(vectors) => vectors.into_iter().map(Ok).collect::<Vec<_>>(),
        // What one of them is refused for is not the others' matter.
        Err(_) => texts.iter().map(|text| alone(text, &run)).collect(),
    };
    for (vector, answer) in vectors.into_iter().zip(answers) {
        // Whoever does not wait any more is not told.
        let _ = answer.send(vector);
    }
}

fn alone(text: &String, run: impl Fn(&[String]) -> Result<Vec<Vec<f32>>, EmbedError>) -> Answer {
    let mut vectors = run(std::slice::from_ref(text))?;
    vectors
        .pop()
        .ok_or_else(|| EmbedError::Model("no vector for a query".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// The length of each text as its vector; refuses texts that begin with a `!`.
    fn lengths(texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        match texts.iter().any(|text| text.starts_with('!')) {
            true => Err(EmbedError::Model("refused".to_owned())),
            false => Ok(texts.iter().map(|text| vec![text.len() as f32]).collect()),
        }
    }

    /// Takes the only core until told, then asks all texts at once. Answers and the sizes of the runs.
    async fn behind_a_slow_one(texts: Vec<String>) -> (Vec<Answer>, Vec<usize>) {
        let together = Arc::new(Together::new(1));
        let (go, wait) = mpsc::channel::<()>();
        let slow = Arc::clone(&together);
        let wait = Mutex::new(wait);
        let slow = tokio::spawn(async move {
            let run = move |texts: &[String]| {
                wait.lock().unwrap().recv().unwrap();
                lengths(texts)
            };
            slow.ask("slow", run).await
        });
        while together.cores.available_permits() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (sizes, ran) = mpsc::channel();
        let asked: Vec<_> = texts
            .into_iter()
            .map(|text| {
                let (together, sizes) = (Arc::clone(&together), sizes.clone());
                tokio::spawn(async move {
                    let run = move |texts: &[String]| {
                        sizes.send(texts.len()).unwrap();
                        lengths(texts)
                    };
                    together.ask(&text, run).await
                })
            })
            .collect();
        while together.waiting.lock().unwrap().queries.len() < asked.len() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        go.send(()).unwrap();
        assert_eq!(slow.await.unwrap().unwrap(), [4.0]);
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await.unwrap());
        }
        drop(sizes);
        (answers, ran.try_iter().collect())
    }

    #[tokio::test]
    async fn what_waits_runs_together_and_each_gets_its_own_answer() {
        let texts: Vec<_> = (1..=10).map(|length| "x".repeat(length)).collect();
        let (answers, sizes) = behind_a_slow_one(texts).await;
        for (length, answer) in (1..).zip(answers) {
            assert_eq!(answer.unwrap(), [length as f32]);
        }
        assert_eq!(sizes, [4, 4, 2]);
    }

    #[tokio::test]
    async fn a_refused_text_is_refused_alone() {
        let texts = ["a", "!", "bcd"].map(str::to_owned).to_vec();
        let (answers, _) = behind_a_slow_one(texts).await;
        assert_eq!(answers[0].as_ref().unwrap(), &[1.0]);
        assert!(answers[1].is_err());
        assert_eq!(answers[2].as_ref().unwrap(), &[3.0]);
    }

    #[tokio::test]
    async fn whoever_does_not_wait_any_more_holds_up_nobody() {
        let together = Together::new(1);
        let core = Arc::clone(&together.cores).acquire_owned().await.unwrap();
        let gone = together.ask("gone", lengths);
        assert!(
            tokio::time::timeout(Duration::from_millis(5), gone)
                .await
                .is_err()
        );
        drop(core);
        assert_eq!(together.ask("here", lengths).await.unwrap(), [4.0]);
        assert!(together.waiting.lock().unwrap().queries.is_empty());
    }
}
