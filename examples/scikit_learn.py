"""The pipeline that scikit-learn.toml audits: TF-IDF and logistic regression, fitted on SST-2 in a second."""

import os

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

path = f"{os.environ['AUDIT_TEST_DATA']}/sst2_train.csv"
train = pd.read_csv(path)
pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(train["text"], train["label"])
pipeline.files = [path]  # with this code it decides the answers, so these are kept for later audits
