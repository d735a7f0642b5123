# Fits what question.json describes to data.csv by rstanarm, both in the folder given; leaves draws.csv (a row a draw,
# chain after chain) and answer.json (seconds) beside them. benchmarks/r.py writes the question and reads the draws.

suppressPackageStartupMessages(library(rstanarm))

folder <- commandArgs(trailingOnly = TRUE)[1]
question <- jsonlite::fromJSON(file.path(folder, "question.json"))
levels <- question$levels
text <- setNames(rep("character", length(levels)), names(levels))
data <- read.csv(file.path(folder, "data.csv"), colClasses = text, na.strings = "", check.names = FALSE)
for (name in names(levels)) data[[name]] <- factor(data[[name]], levels = levels[[name]])

formula <- as.formula(question$formula)
family <- switch(question$family,
  gaussian = gaussian(question$link),
  bernoulli = ,
  binomial = binomial(question$link),
  poisson = poisson(question$link),
  negative_binomial = neg_binomial_2(question$link)
)

# Priors are vectors in the order of R's own columns and terms.
columns <- setdiff(colnames(model.matrix(lme4::nobars(formula), data)), "(Intercept)")
stopifnot(setequal(columns, names(question$coefficients)))
coefficients <- do.call(rbind, question$coefficients[columns])
parsed <- if (question$family == "gaussian") lme4::lFormula(formula, data) else lme4::glFormula(formula, data, family)
terms <- paste(names(parsed$reTrms$cnms), unlist(parsed$reTrms$cnms), sep = ":")
stopifnot(setequal(terms, names(question$sds)))
auxiliary <- switch(question$auxiliary$distribution,
  HalfStudentT = student_t(question$auxiliary$nu, 0, question$auxiliary$sigma, autoscale = FALSE),
  HalfCauchy = cauchy(0, question$auxiliary$beta, autoscale = FALSE),
  none = exponential(), # of no parameter
  stop("no prior ", question$auxiliary$distribution)
)

cores <- min(question$chains, question$cores)
seconds <- system.time(
  fit <- stan_glmer(
    formula, data, family,
    prior = if (length(columns)) normal(coefficients[, 1], coefficients[, 2], autoscale = FALSE),
    prior_intercept = normal(question$intercept[1], question$intercept[2], autoscale = FALSE),
    prior_aux = auxiliary,
    prior_covariance = decov(shape = question$shape, scale = unlist(question$sds[terms])),
    chains = question$chains, cores = cores, seed = question$seed,
    warmup = question$tune, iter = question$tune + question$draws, refresh = 0
  )
)[["elapsed"]]

# Processor time of the chains; each is forked as soon as one of the cores is free.
busy <- numeric(cores)
for (chain in rowSums(rstan::get_elapsed_time(fit$stanfit))) {
  first <- which.min(busy)
  busy[first] <- busy[first] + chain
}
answer <- list(fit = seconds, sampling = max(busy))
jsonlite::write_json(answer, file.path(folder, "answer.json"), auto_unbox = TRUE, digits = NA)

every <- as.array(fit)
parameters <- dimnames(every)[[3]]
pair <- regmatches(parameters, regexec("^Sigma\\[(.+),(.+)\\]$", parameters)) # Sigma[group:effect,effect] is a variance
variance <- vapply(pair, function(found) length(found) == 3 && endsWith(found[2], paste0(":", found[3])), NA)
draws <- apply(every, 3, c) # draws of the first chain, of the second ...
auxiliaries <- intersect(parameters, c("sigma", "reciprocal_dispersion"))
steps <- do.call(rbind, rstan::get_sampler_params(fit$stanfit, inc_warmup = FALSE))
chosen <- cbind(
  draws[, names(fixef(fit)), drop = FALSE],
  sqrt(draws[, variance, drop = FALSE]),
  draws[, auxiliaries, drop = FALSE],
  n_steps = steps[, "n_leapfrog__"],
  diverging = steps[, "divergent__"]
)
write.csv(chosen, file.path(folder, "draws.csv"), row.names = FALSE)
